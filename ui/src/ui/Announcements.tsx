// Words of the server's operator. The server is not trusted: they are set apart from everything that people say, and nothing in them is a link.

import { announcements, dismiss } from "../state/announcements.ts";
import { attempt } from "../state/notices.ts";
import { t } from "../i18n/index.ts";
import { Button } from "./Button.tsx";

export function Announcements() {
  const all = announcements.value;
  if (all.length === 0) return null;
  return (
    <section class="announcements" aria-label={t("announcements.title")}>
      {all.map((one) => (
        <div key={one.id} class="announcement" role="status">
          <p class="announcement-by">{t("announcements.by", { server: one.server })}</p>
          <p class="announcement-text" dir="auto">
            {one.text}
          </p>
          <div class="row end">
            <Button look="quiet" onClick={() => void attempt(dismiss(one))}>
              {t("announcements.dismiss")}
            </Button>
          </div>
        </div>
      ))}
    </section>
  );
}
