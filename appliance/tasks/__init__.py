"""The task library: `appliance.tasks.<subject>` has ready-made tasks for one subject. `appliance tasks list` names the subjects.

A subject is one module over the best-kept client of its field. None imports another, and each imports its client only when a task runs.
"""
