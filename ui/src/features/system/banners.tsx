/** The banners below the top bar: what concerns everyone, with what to do about it. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Button } from "react-aria-components";
import { endMaintenance, systemQuery } from "../../api/system";
import { type Banner, bannersOf } from "../../lib/banners";
import { useNow } from "../../ui/clock";
import { toast, toastError } from "../../ui/toasts";
import { useMay } from "../session/permissions";
import "./banners.css";

const FreeSpaceDialog = lazy(() => import("./free-space-dialog"));
const HoldDialog = lazy(() => import("./hold-dialog"));

export function Banners() {
  const { data } = useQuery(systemQuery);
  const now = useNow();
  const may = useMay();
  const client = useQueryClient();
  const [open, setOpen] = useState<"disk" | "hold" | null>(null);
  const end = useMutation({
    mutationFn: endMaintenance,
    onSuccess: () => {
      toast("Maintenance has ended; runs start again.");
      return client.invalidateQueries();
    },
    onError: toastError,
  });
  const act = (banner: Banner) => (banner.id === "maintenance" ? end.mutate() : setOpen(banner.id));
  const close = () => setOpen(null);
  return (
    <>
      {data &&
        bannersOf(data, now, may).map((banner) => (
          <div key={banner.id} className={`banner banner-${banner.tone}`} role="status">
            <span className="clip" title={banner.text}>
              {banner.text}
            </span>
            {banner.action && (
              <Button className="button small" onPress={() => act(banner)}>
                {banner.action}
              </Button>
            )}
          </div>
        ))}
      <Suspense>
        {open === "disk" && data && <FreeSpaceDialog disk={data.disk} onClose={close} />}
        {open === "hold" && data && <HoldDialog hold={data.hold} onClose={close} />}
      </Suspense>
    </>
  );
}
