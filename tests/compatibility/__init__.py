"""The previous release keeps working: recorded protocol exchanges, pickled flows and results, agents and SDKs."""
