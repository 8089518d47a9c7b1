"""`python -m appliance` and the `appliance` command."""

from appliance.kit import hidden_environment

hidden_environment.hide()  # before the imports below, which take a while

from appliance.cli.root import main  # noqa: E402

if __name__ == "__main__":
    main()
