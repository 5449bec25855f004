// Expands the calendars beside it with ical.js, which shares no code with us:
//   npm install ical.js@2.2.1 && node expand.mjs
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import ICAL from "ical.js";

const [FIRST, LAST] = [Date.UTC(2026, 2, 1) / 1000, Date.UTC(2026, 10, 15) / 1000];
const found = {};
for (const file of readdirSync(".").filter((name) => name.endsWith(".ics")).sort()) {
  const calendar = new ICAL.Component(ICAL.parse(readFileSync(file, "utf8")));
  const zone = new ICAL.Timezone(calendar.getFirstSubcomponent("vtimezone"));
  ICAL.TimezoneService.register(zone.tzid, zone);
  const events = calendar.getAllSubcomponents("vevent").map((each) => new ICAL.Event(each));
  const occurrences = [];
  for (const event of events.filter((each) => !each.isRecurrenceException())) {
    for (const other of events) {
      if (other.isRecurrenceException() && other.uid === event.uid) event.relateException(other);
    }
    const iterator = event.iterator();
    for (let begin = iterator.next(); begin; begin = iterator.next()) {
      const { item, startDate, endDate } = event.getOccurrenceDetails(begin);
      const [start, end] = [startDate.toUnixTime(), endDate.toUnixTime()];
      if (start >= LAST) break;
      if (end > FIRST) occurrences.push([item.summary, start, end]);
    }
  }
  found[file] = occurrences.sort((one, other) => one[1] - other[1] || one[2] - other[2]);
}
const lines = Object.entries(found).map(
  ([file, all]) => `  ${JSON.stringify(file)}: [\n${all.map((each) => `    ${JSON.stringify(each)}`).join(",\n")}\n  ]`,
);
writeFileSync("occurrences.json", `{\n${lines.join(",\n")}\n}\n`);
