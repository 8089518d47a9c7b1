import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type Flow, flowQuery } from "../../api/flows";

/** The flow of the page, for one of its tabs: these are shown once it is there. */
export function useFlow(): Flow | null {
  const { flowId } = useParams({ from: "/app/flows/$flowId" });
  return useQuery(flowQuery(flowId)).data ?? null;
}
