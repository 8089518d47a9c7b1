"""The runners of a run that an appliance watches: they report what happens."""
