/** What the server says against one field of a form: its name in the request, and the sentence. */

import { useEffect } from "react";
import { ApiError } from "../../api/http";

export interface Problem {
  field: string;
  message: string;
}

/** Fields that stand in the form; what concerns another is said at the form's end. */
const FIELDS = ["cron", "seconds", "dates", "timezone", "parameters"];

export function problemOf(error: Error | null): Problem | null {
  const field = error instanceof ApiError ? String(error.details.field ?? "") : "";
  return error && FIELDS.includes(field) ? { field, message: error.message } : null;
}

/** Focus a field by its name once it was refused. */
export function useFocusOn(field: string | undefined): void {
  useEffect(() => {
    if (field !== undefined) document.getElementsByName(field)[0]?.focus();
  }, [field]);
}
