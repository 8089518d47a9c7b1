"""`python -m appliance` and the `appliance` command."""

from appliance.cli.root import main

if __name__ == "__main__":
    main()
