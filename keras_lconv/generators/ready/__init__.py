"""Ready generators: those of grids that have a name, and those of graphs."""
