// Times in the viewer's own zone; the server writes them in the site's.

const locale = document.documentElement.lang || undefined;
const whole = new Intl.DateTimeFormat(locale, {dateStyle: "medium", timeStyle: "short"});
const short = new Intl.DateTimeFormat(locale, {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit"});
const clock = new Intl.DateTimeFormat(locale, {hour: "2-digit", minute: "2-digit"});
const relative = new Intl.RelativeTimeFormat(locale, {numeric: "auto", style: "narrow"});

export const clockTime = at => clock.format(at);
export const shortTime = at => short.format(at);

function since(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  if (seconds > -60) return relative.format(0, "second");
  if (seconds > -3600) return relative.format(Math.ceil(seconds / 60), "minute");
  if (seconds > -86_400) return relative.format(Math.ceil(seconds / 3600), "hour");
  return short.format(at);
}

export function show(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const text = "since" in time.dataset ? since(at) : "short" in time.dataset ? short.format(at) : whole.format(at);
    if (time.textContent !== text) time.textContent = text;
    time.title ||= whole.format(at);
  }
}

show();
setInterval(() => { if (!document.hidden) show(); }, 20_000);
