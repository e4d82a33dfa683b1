"""MkDocs hook: cross-references to Keras, without a download."""

KERAS = "https://keras.io/api/"
NAMES = {
    "keras.layers.Layer": KERAS + "layers/base_layer/#layer-class",
}


def on_pre_build(config):
    for name, url in NAMES.items():
        config.plugins["autorefs"].register_url(name, url)
