import { Button, type ButtonProps } from "react-aria-components";

/** A button that shows when it is busy and can't be pressed twice. It keeps the focus. */
export function BusyButton({
  isBusy,
  children,
  onPress,
  ...rest
}: ButtonProps & { isBusy: boolean; children: string }) {
  return (
    <Button {...rest} onPress={isBusy ? undefined : onPress}>
      {isBusy ? "Working…" : children}
    </Button>
  );
}
