"""What the release before wrote, sent and kept goes on working: recorded exchanges, saved flows and results, agents and SDKs."""
