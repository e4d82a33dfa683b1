"""Ready generators: named ones on grids, and those of graphs."""
