import { LANGUAGES, LANGUAGE_NAMES, type Language, t } from "../i18n/index.ts";
import { language, setLanguage } from "../state/preferences.ts";
import { tellTrouble } from "../state/notices.ts";

export function LanguageChoice() {
  return (
    <label class="field">
      <span>{t("settings.language")}</span>
      <select
        value={language.value}
        onChange={(event) => void setLanguage(event.currentTarget.value as Language).catch(tellTrouble)}
      >
        {LANGUAGES.map((one) => (
          <option key={one} value={one} lang={one}>
            {LANGUAGE_NAMES[one]}
          </option>
        ))}
      </select>
    </label>
  );
}
