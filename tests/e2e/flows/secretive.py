"""Flows that read secrets of the server, and print and raise what they have read."""

import logging
import os
import sys

from appliance import Flow, Parameter, Secret, SecretTask, task
from appliance.executors import ProcessExecutor


@task(secrets=["KEY"], log_stdout=True)
def tell(word):
    key = Secret("KEY").get()
    for line in key.splitlines():
        print("a line of it:", line)
    print("the word:", word, repr(word), word.encode())
    logging.getLogger("elsewhere").warning("a library says %s", word)
    print(word, file=sys.stderr)
    os.write(1, f"past Python: {word}\n".encode())
    print("in the environment:", word in str(os.environ))
    return len(key)


@task(log_stdout=True)
def fail(word):
    raise ValueError(f"{word} is wrong")


@task
def undeclared():
    return Secret("OTHER").get()


with Flow("here") as here:
    tell(SecretTask("WORD"))

with Flow("in-processes", executor=ProcessExecutor(2)) as in_processes:
    tell(SecretTask("WORD"))

with Flow("chosen", secrets=["WORD"]) as chosen:
    tell(SecretTask()(name=Parameter("name")))

with Flow("failing") as failing:
    fail(SecretTask("WORD"))

with Flow("undeclared") as not_declared:
    undeclared()
