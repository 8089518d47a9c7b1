import { Button } from "react-aria-components";
import { hasWord, type LogSearchView } from "../../lib/log-search";
import { Empty } from "../../ui/notice";

/** The empty states: nothing to search for yet, a text without a word, and no lines. */
export function NoLinesFound({ view, change }: { view: LogSearchView; change: (view: LogSearchView) => void }) {
  if (!view.q.trim())
    return (
      <Empty title="Search the logs of all runs.">
        Lines that have all words are found, in any order. The last word may be the beginning of one: <code>time</code>{" "}
        also finds <code>timeout</code>, unless a space follows it.
      </Empty>
    );
  if (!hasWord(view.q)) return <Empty title={`“${view.q}” has no word; use letters or digits.`} />;
  const isFiltered = view.level !== undefined || view.flow !== "";
  return (
    <Empty
      title={`No lines match “${view.q.trim()}”${isFiltered ? " with this level and flow" : ""}.`}
      action={
        isFiltered && (
          <Button className="button" onPress={() => change({ q: view.q, level: undefined, flow: "" })}>
            Search all levels and flows
          </Button>
        )
      }
    >
      Words are compared as a whole, whatever their case; only the last one may be a beginning.
    </Empty>
  );
}
