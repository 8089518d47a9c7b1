import { Button } from "react-aria-components";
import { deleteView, saveView } from "../../api/saved-views";
import type { SavedView } from "../../lib/saved-views";
import { toast, toastError } from "../../ui/toasts";
import { useViewChange } from "./use-view-change";

/** Deletes a saved view, and offers to undo it for a moment. */
export function useDeleteView() {
  const save = useViewChange(saveView);
  const remove = useViewChange(deleteView);
  return ({ id, ...content }: SavedView) =>
    remove.mutate(
      { savedViewId: id },
      {
        onError: toastError,
        onSuccess: () =>
          toast(
            <>
              The view {content.name} is deleted.{" "}
              <Button
                className="button small"
                onPress={() =>
                  save.mutate(content, {
                    onError: toastError,
                    onSuccess: () => toast(`The view ${content.name} is back.`),
                  })
                }
              >
                Undo
              </Button>
            </>,
          ),
      },
    );
}
