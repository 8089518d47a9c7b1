"""The previous release keeps working: recorded protocol exchanges, pickled flows and results, agents and SDKs.

After a release: write its commit into `previous`, and on that commit run `python -m tests.compatibility.record` and
`python -m tests.compatibility.make_pickles`.
"""
