/** Automations: the list, one with what it has sent, changing them, and trying them out. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { AutomationInput } from "../lib/automations";
import {
  AutomationDryRunDocument,
  AutomationPageDocument,
  type AutomationPageQuery,
  type AutomationRowFragment,
  AutomationsDocument,
  CreateAutomationDocument,
  DeleteAutomationDocument,
  EditAutomationDocument,
  SendAgainDocument,
  TestAutomationDocument,
  type TestAutomationMutation,
} from "./generated";
import { execute } from "./graphql";
import { automationKeys } from "./keys";

export type Automation = AutomationRowFragment;
export type Delivery = AutomationPageQuery["deliveries"]["items"][number];

export type Trial = TestAutomationMutation["testAutomation"];

export const automationsQuery = queryOptions({
  queryKey: automationKeys.list,
  queryFn: async ({ signal }) => (await execute(AutomationsDocument, {}, signal)).automations,
});

export const automationQuery = (id: string) =>
  queryOptions({
    queryKey: automationKeys.one(id),
    queryFn: ({ signal }) => execute(AutomationPageDocument, { id, state: null }, signal),
  });

/** How often it would have acted in the last 30 days. */
export const dryRunQuery = (condition: { events: readonly string[]; q: string; atMost: number; per: number }) =>
  queryOptions({
    queryKey: automationKeys.dryRun(condition),
    queryFn: async ({ signal }) =>
      (await execute(AutomationDryRunDocument, { ...condition, events: [...condition.events] }, signal))
        .automationDryRun,
    enabled: condition.events.length > 0,
    placeholderData: keepPreviousData,
    retry: false,
    staleTime: 30_000,
  });

export async function createAutomation(input: AutomationInput): Promise<Automation> {
  return (await execute(CreateAutomationDocument, { input })).createAutomation.automation;
}

export async function editAutomation(
  input: Partial<AutomationInput> & { automationId: string; revision: number; enabled?: boolean },
): Promise<Automation> {
  return (await execute(EditAutomationDocument, { input })).editAutomation.automation;
}

export async function deleteAutomation(input: { automationId: string }): Promise<void> {
  await execute(DeleteAutomationDocument, { input });
}

/** Sends a sample message to where it sends. */
export async function testAutomation(input: { automationId: string }): Promise<Trial> {
  return (await execute(TestAutomationDocument, { input })).testAutomation;
}

/** Sends a delivery once more, under its id. */
export async function sendAgain(input: { deliveryId: string }): Promise<void> {
  await execute(SendAgainDocument, { input });
}
