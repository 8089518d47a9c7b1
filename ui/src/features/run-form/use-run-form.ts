/** The state of the form that starts a run: its texts, their errors, and the request that it sends. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { createRun, type Run } from "../../api/flow-runs";
import type { Flow } from "../../api/flows";
import { ApiError } from "../../api/http";
import { flowKeys, flowRunKeys } from "../../api/keys";
import { withDefaults } from "../../lib/flow-defaults";
import { readTime } from "../../lib/form-model";
import { keyPerContent } from "../../lib/keys";
import { toast } from "../../ui/toasts";
import { useParameterForm } from "../parameters/use-parameter-form";
import { useWriting } from "../session/permissions";

/** The name of the start time among those of the parameters, none of which has a colon. */
export const AT = "when:at";

export type RunFormState = ReturnType<typeof useRunForm>;

export function useRunForm(flow: Flow, source: Run | null) {
  const parametersOfFlow = useMemo(() => withDefaults(flow), [flow]);
  const form = useParameterForm(parametersOfFlow, source?.parameters);
  const [when, setWhen] = useState<"now" | "later">("now");
  const [at, setAt] = useState("");
  const [name, setName] = useState("");
  const [problem, setProblem] = useState("");
  /** The fields in the error summary: set on submit only, as a summary that appears on blur would move the button. */
  const [refused, setRefused] = useState<string[]>([]);
  const writing = useWriting();
  const { create, submitted, withKey } = useCreate((error) => {
    const named = refusedName(
      error,
      form.fields.map((field) => field.name),
    );
    if (!named) {
      setProblem(error.message);
      return;
    }
    form.setErrors({ [named]: error.message });
    setRefused([named]);
  });
  const { parameters, errors } = form.readTexts();
  const start = readTime(at);
  const scheduledTime = when === "later" && start.ok ? String(start.value) : undefined;
  const submit = () => {
    if (submitted.current || !writing.allowed) return;
    const all = { ...errors, ...(when === "later" && !start.ok ? { [AT]: start.error } : {}) };
    form.setErrors(all);
    setRefused(Object.keys(all));
    setProblem("");
    if (Object.keys(all).length > 0) {
      document.getElementById("form-summary")?.focus();
      return;
    }
    submitted.current = true;
    create.mutate(
      withKey({
        flowId: flow.id,
        parameters,
        ...(name.trim() && { name: name.trim() }),
        ...(scheduledTime && { scheduledTime }),
      }),
    );
  };
  const wrong = refused.filter((one) => form.errors[one]);
  useEffect(() => {
    if (wrong.length > 0 || problem) document.getElementById("form-summary")?.focus();
  }, [wrong.length, problem]);
  const isPending = create.isPending;
  return {
    form,
    when,
    setWhen,
    at,
    setAt,
    name,
    setName,
    problem,
    wrong,
    parameters,
    scheduledTime,
    submit,
    isPending,
  };
}

/** Sending the same request twice creates one run. */
function useCreate(onRefusal: (error: Error) => void) {
  const [withKey] = useState(keyPerContent);
  const submitted = useRef(false);
  const navigate = useNavigate();
  const client = useQueryClient();
  const create = useMutation({
    mutationFn: createRun,
    onSuccess: async (run) => {
      toast([`Created run ${run.name}.`, ...run.warnings].join(" "));
      void client.invalidateQueries({ queryKey: flowRunKeys.lists });
      void client.invalidateQueries({ queryKey: flowKeys.all });
      await navigate({ to: "/runs/$runId", params: { runId: run.id } });
    },
    onError: (error) => {
      submitted.current = false;
      onRefusal(error);
    },
  });
  return { create, submitted, withKey };
}

/** The parameter that a server error names: that error goes under its field, any other at the top. */
function refusedName(error: Error, names: string[]): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return names.find((name) => error.message.includes(`'${name}'`) || error.message.includes(`"${name}"`));
}
