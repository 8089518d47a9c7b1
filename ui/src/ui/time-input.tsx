/** A date and time in the browser's zone: picked, or entered as text, which can also have an offset. */

import { useState } from "react";
import { Button } from "react-aria-components";
import { isLocal } from "../lib/local-time";
import { TextInput } from "./text-input";

interface Props {
  id?: string;
  label: string;
  value: string;
  onChange: (text: string) => void;
  help?: string;
  error?: string | undefined;
}

export function TimeInput(props: Props) {
  const [isTyped, setTyped] = useState(() => !isLocal(props.value));
  return (
    <TextInput {...props} type={isTyped ? "text" : "datetime-local"}>
      {!isTyped && (
        <Button className="button small quiet" onPress={() => setTyped(true)}>
          Enter as text
        </Button>
      )}
    </TextInput>
  );
}
