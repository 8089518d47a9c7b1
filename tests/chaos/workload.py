"""A small site's day in one script: every action that a crash could cut in two, done straight on the database under a stopped clock.

Whoever runs it again after a crash sends everything once more, as clients do: under the same keys where there are keys.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from appliance.kit import clock
from appliance.protocol.agents import AgentReport, Claim, Exited, Held, Work
from appliance.protocol.backfills import Backfill
from appliance.protocol.bundles import AskBundle, PutBundle
from appliance.protocol.flow_runs import ChangeFlowRun, EditFlowRun, MarkFlowRun, RestartFlowRun
from appliance.protocol.flows import RollBack, SetFlowDefaults
from appliance.protocol.jobs import Bulk
from appliance.protocol.known_failures import MarkFailure
from appliance.protocol.life_cycle import DeleteTree, EditFlow, EditProject
from appliance.protocol.run_protocol import AskChild, AskSlots, Begin
from appliance.protocol.schedules import SkipDueTime
from appliance.protocol.verbs import VERBS
from appliance.server.actions import (
    agents,
    artifacts,
    bundles,
    child_runs,
    concurrency,
    flow_defaults,
    flow_edits,
    hold,
    jobs,
    kept_results,
    known_failures,
    late,
    leases,
    maintenance,
    projects,
    repair,
    rollbacks,
    run_timeouts,
    schedule_previews,
    schedules,
    skipped_times,
    slots,
)
from appliance.server.actions import run_protocol as runs
from appliance.server.actions.flow_runs.cancel import cancel_run
from appliance.server.actions.flow_runs.delete import delete_run
from appliance.server.actions.flow_runs.edit import edit_run
from appliance.server.actions.flow_runs.mark import mark_run
from appliance.server.actions.flow_runs.perform import perform
from appliance.server.actions.flow_runs.restart import restart_run
from appliance.server.actions.flow_runs.start_now import start_run_now
from appliance.server.actions.schedule_rows import Policy
from appliance.server.db.reads import dispatch, flows
from appliance.server.db.session import Database
from appliance.server.errors import ServerError
from appliance.server.services.process import Rounds
from appliance.server.services.repair import Repair
from appliance.server.services.scheduler import Scheduler
from tests.chaos.journal import Journal
from tests.integration import artifact_requests, builders, result_doors
from tests.integration.builders import AGENT, ALICE, MINUTELY, RUN, send, task

MOST_ROUNDS = 40


class Workload:
    """`time` is where its clock begins; `script()` may break off anywhere, `settle()` brings everything to rest."""

    def __init__(self, db: Database, journal: Path, time: datetime) -> None:
        self.db, self.journal, self.time = db, Journal(journal), time
        long_ago = time - timedelta(days=1)
        self.scheduler, self.repair = Scheduler(db), Repair(db, started=long_ago)
        self.steps = [self.register, self.ask, self.change, self.work, self.fail_and_restart, self.go_silent]
        self.steps += [
            self.overlap,
            self.schedule,
            self.steer,
            self.many,
            self.hold,
            self.share,
            self.serve,
            self.limit,
            self.linger,
            self.overrun,
            self.keep,
            self.start_child,
            self.keep_code,
            self.default,
            self.grow_old,
        ]

    def now(self) -> datetime:
        return self.time

    def script(self) -> None:
        with clock.stopped(self.now):
            for step in self.steps:
                step()

    def settle(self) -> None:
        """The services and an agent at work until nothing is live and nothing due is left; fails when that never comes."""
        with clock.stopped(self.now):
            for _ in range(MOST_ROUNDS):
                self.time += timedelta(seconds=30)
                self.scheduler.run_once(self.time)
                self.repair.run_once(self.time)
                self.work()
                if not self.unfinished():
                    return
        raise AssertionError(f"never at rest: {self.unfinished()[:5]}")

    def unfinished(self) -> list[dict[str, object]]:
        live = builders.rows(
            self.db, "select id, state_name from flow_run where state_type in ('PENDING', 'RUNNING', 'CANCELLING')"
        )
        with self.db.read() as session:
            due = dispatch.any_due(session, dispatch.Taker([]), self.time)
        return live + ([{"due": True}] if due else [])

    # --- the steps

    def register(self) -> None:
        self.flow = builders.register(self.db, schedules=[MINUTELY], parameters=[builders.N]).flow_id
        self.agent = builders.enrol(self.db, capacity=100)
        concurrency.put(self.db, ALICE, "label", "gpu", 1)

    def ask(self) -> None:
        for number in range(4):
            self.create(f"create-{number}", n=number)

    def create(self, key: str, **parameters: int) -> UUID:
        run = builders.create(self.db, self.flow, idempotency_key=key, parameters=parameters)
        self.journal.acknowledged("create", run, key, parameters=parameters)
        return run

    def change(self) -> None:
        """Pause one, resume it, cancel another."""
        held, cancelled = self.create("create-0", n=0), self.create("create-1", n=1)
        for verb, key in (("pause", "pause-0"), ("resume", "resume-0")):
            try:
                perform(self.db, ALICE, held, verb, VERBS[verb].request(idempotency_key=key))
            except ServerError:  # a second script: the first one's word never arrived, and the run has gone on
                continue
            self.journal.acknowledged("change", held, key)
        cancel_run(self.db, ALICE, cancelled)
        self.journal.acknowledged("cancel", cancelled)

    def work(self) -> None:
        """An agent takes all that is due and does it."""
        while taken := builders.claim(self.db, self.agent, 100):
            for one in taken:
                self.carry_out(one)

    def carry_out(self, work: Work, end: str = "SUCCESS") -> None:
        run, attempt = work.flow_run_id, work.attempt
        begun = runs.begin(self.db, RUN, run, Begin(attempt=attempt))
        if begun.verdict != "go":
            return
        for seq, type in ((1, "RUNNING"), (2, end)):
            answer = send(
                self.db, run, seq, task("extract-1", type, type.title()), builders.line(type), attempt=attempt
            )
            self.journal.acknowledged("report", run, attempt=attempt, seq=answer.acked)
        send(self.db, run, 3, builders.flow(end, end.title()), attempt=attempt)
        self.journal.acknowledged("report", run, attempt=attempt, seq=3)

    def fail_and_restart(self) -> None:
        run = self.create("fails", n=7)
        for work in builders.claim(self.db, self.agent, 100):
            self.carry_out(work, "FAILED" if work.flow_run_id == run else "SUCCESS")
        if self.state_of(run) != "FAILED":
            return  # a second script, and the first one came further
        self.know(run)
        restart_run(self.db, ALICE, run, RestartFlowRun(idempotency_key="restart"))
        self.journal.acknowledged("change", run, "restart")

    def know(self, run: UUID) -> None:
        """Why it failed is known, then not any more, and then again, until it succeeds."""
        with suppress(
            ServerError
        ):  # a second script: another run has succeeded meanwhile, so there is nothing to mark or unmark
            known = known_failures.mark(self.db, ALICE, MarkFailure(flow_run_id=run, idempotency_key="known"))
            known_failures.unmark(self.db, replace(ALICE, key="unknown"), known)
            known_failures.mark(self.db, ALICE, MarkFailure(flow_run_id=run, idempotency_key="known again"))

    def go_silent(self) -> None:
        """Of three that are taken, one begins and one's process dies under the agent's eyes; of the others nothing is heard again."""
        self.work()
        for number in range(3):
            self.create(f"silent-{number}")
        taken = builders.claim(self.db, self.agent, 3)
        for work in taken[:2]:
            runs.begin(self.db, RUN, work.flow_run_id, Begin(attempt=work.attempt))
        for work in taken[:1]:
            held = Held(flow_run_id=work.flow_run_id, attempt=work.attempt)
            exited = Exited(
                flow_run_id=held.flow_run_id, attempt=held.attempt, code=None, signal="SIGKILL", reason="", tail=[]
            )
            agents.report(self.db, AGENT, self.agent, AgentReport(started=[held], exited=[exited]))
        self.time += timedelta(seconds=self.db.rules.run_lease + 1)
        self.repair.run_once(self.time)

    def overlap(self) -> None:
        """Schedules that skip, and that stop the older run, while that is at work."""
        for policy in ("skip", "cancel"):
            self.work()
            schedules.create(self.db, ALICE, self.flow, MINUTELY, policy=Policy(overlap=policy))
            self.time += timedelta(minutes=1)
            self.scheduler.run_once(self.time)
            taken = builders.claim(self.db, self.agent, 10)
            self.time += timedelta(minutes=1)
            self.scheduler.run_once(self.time)
            for work in taken:
                self.carry_out(work)

    def schedule(self) -> None:
        """An outage that is longer than what is planned ahead, edits, a schedule switched off and on, and one due time skipped."""
        made = schedules.create(self.db, ALICE, self.flow, {"kind": "interval", "seconds": 60}, {"n": 3}).id
        self.time += timedelta(minutes=30)
        self.scheduler.run_once(self.time)
        schedules.edit(self.db, ALICE, made, {"kind": "interval", "seconds": 120})
        schedules.set_active(self.db, ALICE, made, False)
        schedules.set_active(self.db, ALICE, made, True)
        coming = SkipDueTime(at=schedule_previews.of_schedule(self.db, made, 3).times[2].at)
        skipped_times.skip(self.db, ALICE, made, coming)
        skipped_times.unskip(self.db, ALICE, made, coming)
        schedules.delete(self.db, ALICE, made)

    def steer(self) -> None:
        """By a person's word: one run is edited and started now, one is marked, one is deleted."""
        later = self.time + timedelta(days=1)
        hurried, marked, gone = (builders.create(self.db, self.flow, scheduled_time=later) for _ in range(3))
        edit_run(self.db, ALICE, hurried, EditFlowRun(priority=5, idempotency_key=f"edit-{hurried}"))
        start_run_now(self.db, ALICE, hurried, ChangeFlowRun(idempotency_key=f"start-{hurried}"))
        mark_run(self.db, ALICE, marked, MarkFlowRun(state="Success", idempotency_key=f"mark-{marked}"))
        for run, key in ((hurried, f"edit-{hurried}"), (hurried, f"start-{hurried}"), (marked, f"mark-{marked}")):
            self.journal.acknowledged("change", run, key)
        delete_run(self.db, ALICE, gone)
        self.journal.acknowledged("delete", gone)

    def many(self) -> None:
        """One thing done to several runs, a backfill that is cancelled, and jobs that fail and are forgotten."""
        found = [builders.create(self.db, self.flow, scheduled_time=self.time + timedelta(days=1)) for _ in range(2)]
        jobs.create_bulk(self.db, ALICE, Bulk(action="cancel", ids=found), now=self.time)
        for run in found:
            self.journal.acknowledged("cancel", run)
        document = {"kind": "interval", "seconds": 60}
        times: dict[str, Any] = {"start": self.time - timedelta(minutes=10), "end": self.time - timedelta(minutes=5)}
        past = Backfill(flow_id=self.flow, document=document, at_once=1, **times)
        jobs.cancel(self.db, ALICE, jobs.create_backfill(self.db, ALICE, past, now=self.time))
        jobs.fail(self.db, jobs.create_backfill(self.db, ALICE, past, now=self.time), "It can't go on.", now=self.time)
        jobs.forget_old(self.db, self.time + timedelta(days=31))

    def hold(self) -> None:
        """After an outage what is overdue is held, until a person releases it; then there is maintenance for a while."""
        self.create("held-1")
        hold.begin_if_many(self.db, self.time + timedelta(hours=1), 0, now=self.time)
        hold.release(self.db, ALICE)
        maintenance.begin(self.db, ALICE, "new disks", now=self.time)
        maintenance.end(self.db, ALICE, now=self.time)

    def share(self) -> None:
        """Two runs share the slots of a task's tag; one gives its slot back, the other dies with it, its lease from a wrong clock."""
        self.work()
        concurrency.put(self.db, ALICE, "task_tag", "db", 2)
        for number in range(2):
            self.create(f"share-{number}-{self.time:%H}")
        taken = agents.claim(self.db, AGENT, self.agent, Claim(free_slots=2), now=self.time + timedelta(hours=2)).work
        for work, release in zip(taken, (False, True), strict=False):
            run, attempt = work.flow_run_id, work.attempt
            runs.begin(self.db, RUN, run, Begin(attempt=attempt), now=self.time + timedelta(hours=2))
            wanted = AskSlots(attempt=attempt, task_slug="extract-1", tags=["db"])
            slots.acquire(self.db, RUN, run, wanted)
            if release:
                slots.acquire(
                    self.db, RUN, run, AskSlots(attempt=attempt, task_slug="extract-1", tags=["db"], release=True)
                )
        self.repair.run_once(self.time)  # shortens what no clock of today can have given
        self.time += timedelta(seconds=self.db.rules.run_lease + 1)
        self.repair.run_once(self.time)
        slots.sweep(self.db)

    def serve(self) -> None:
        """A services process takes the lease, works and gives it back."""
        rounds = Rounds(self.scheduler, self.db, "one")
        epoch = leases.acquire(self.db, "repair", "one", 60.0)
        assert epoch is not None
        assert leases.prolong(self.db, "repair", epoch, 60.0)
        leases.record(self.db, "repair", epoch, self.repair.run_once(self.time), 60.0)
        leases.release(self.db, "repair", "one", epoch)
        rounds()
        rounds.finish(1.0)

    def limit(self) -> None:
        row = concurrency.put(self.db, ALICE, "label", "cpu", 2)
        concurrency.remove(self.db, ALICE, row.id)

    def linger(self) -> None:
        """A run waits until it is called Late; then its agent holds it and never begins it, until the deadline."""
        self.work()
        self.create("lingers")
        late.mark_late(self.db, self.time + timedelta(seconds=self.db.rules.late_after + 1))
        builders.claim(self.db, self.agent, 100)
        self.time += timedelta(seconds=self.db.rules.start_deadline + 1)
        for run in repair.stuck_runs(self.db, self.time):
            repair.fix_stuck(self.db, run, now=self.time)

    def overrun(self) -> None:
        """A run that an agent holds takes longer than an operator allows."""
        self.work()
        long = builders.register(self.db, "long").flow_id
        run_timeouts.set_run_timeout(self.db, ALICE, long, 30.0)
        run = builders.create(self.db, long)
        for work in builders.claim(self.db, self.agent, 100):
            if work.flow_run_id != run:
                self.carry_out(work)
            else:
                runs.begin(self.db, RUN, run, Begin(attempt=work.attempt))
        self.time += timedelta(seconds=31)
        for overdue, timeout in repair.overrunning_runs(self.db, self.time):
            repair.end_overrun(self.db, overdue, timeout, now=self.time)

    def keep(self) -> None:
        """A run stores a result with the appliance and makes an artifact, and others of both that people remove."""
        self.work()
        run = builders.create(self.db, builders.register(self.db, "keeps").flow_id)
        for work in builders.claim(self.db, self.agent, 100):
            if work.flow_run_id != run:
                self.carry_out(work)
                continue
            runs.begin(self.db, RUN, run, Begin(attempt=work.attempt))
            result_doors.stored(self.db, work, f"{run}/own", b"own")
            unwanted = result_doors.stored(self.db, work, f"{run}/unwanted", b"unwanted")
            kept_results.remove(self.db, ALICE, unwanted)
            artifact_requests.made(self.db, work, key="report", attempt=work.attempt)
            spare = artifact_requests.made(self.db, work, name="spare", number=2, attempt=work.attempt)
            artifacts.remove(self.db, ALICE, spare.id)
            send(self.db, run, 1, builders.flow("SUCCESS", "Success"), attempt=work.attempt)

    def start_child(self) -> None:
        """A task of a run starts another run, whose failure a second try of the task undoes."""
        self.work()
        flow = builders.register(self.db, "starts", starts={"flow": "starts"}).flow_id
        run = builders.create(self.db, flow)
        for work in builders.claim(self.db, self.agent, 100):
            if work.flow_run_id != run:
                self.carry_out(work)
                continue
            runs.begin(self.db, RUN, run, Begin(attempt=work.attempt))
            request = AskChild(attempt=work.attempt, task_slug="load-1")
            child = child_runs.follow(self.db, RUN, run, request).flow_run_id
            mark_run(self.db, ALICE, child, MarkFlowRun(state="Failed"))
            assert child_runs.follow(self.db, RUN, run, request).over
            again = AskChild(attempt=work.attempt, task_slug="load-1", count=2)
            assert child_runs.follow(self.db, RUN, run, again).flow_run_id == child
            cancel_run(self.db, ALICE, child)
            send(self.db, run, 1, builders.flow("SUCCESS", "Success"), attempt=work.attempt)

    def keep_code(self) -> None:
        """A bundle is sent, asked for when it is about to go, and goes."""
        digest = "d" * 64
        request = PutBundle(project="demo", digest=digest, sha256=sha256(b"code").hexdigest(), content=b"code")
        bundles.put(self.db, ALICE, request)
        self.time += bundles.KEPT
        assert bundles.ask(self.db, ALICE, AskBundle(project="demo", digest=digest)).stored
        self.time += 2 * bundles.KEPT
        assert bundles.remove_unnamed(self.db, self.time) == 1

    def default(self) -> None:
        """Operators change what new runs of a flow have, and take it back; they roll it back to its first version."""
        defaulted = builders.register(self.db, "defaulted", schedules=[MINUTELY]).flow_id
        for env in ({"MODE": "full"}, {}):
            flow_defaults.set_defaults(self.db, ALICE, defaulted, SetFlowDefaults(run_config={"env": env}))
        builders.register(self.db, "defaulted", content="changed", schedules=[MINUTELY])
        rollbacks.roll_back(self.db, ALICE, defaulted, RollBack(to=1))

    def grow_old(self) -> None:
        """A flow and its project are renamed, paused, archived and deleted, with a run in progress that is cancelled for it."""
        old = builders.register(self.db, "old", schedules=[MINUTELY], project=f"old {self.time:%H%M%S}")
        edits = (EditFlow(name="older"), EditFlow(paused=True), EditFlow(paused=False))
        for edit in edits:
            flow_edits.edit(self.db, ALICE, old.flow_id, edit)
        with self.db.read() as session:
            project = flows.by_ids(session, [old.flow_id])[0].project_id
        for archived in (True, False):
            projects.edit(self.db, ALICE, project, EditProject(archived=archived))
        run = builders.create(self.db, old.flow_id)
        for work in builders.claim(self.db, self.agent, 100):
            if work.flow_run_id != run:
                self.carry_out(work)
            else:
                runs.begin(self.db, RUN, run, Begin(attempt=work.attempt))
        job = jobs.delete(self.db, ALICE, "project", project, DeleteTree(cancel_runs=True), now=self.time)
        send(self.db, run, 1, builders.flow("CANCELLED", "Cancelled"))
        while jobs.step(self.db, job, self.time) == "more":
            pass
        with self.db.read() as session:
            assert flows.by_ids(session, [old.flow_id]) == []

    def state_of(self, run: UUID) -> str:
        return str(builders.run_row(self.db, run)["state_type"])
