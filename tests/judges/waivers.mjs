// What html-validate's `standard` rules say about a mail and is not a fault there: rule, the words of its message, why.
// Web pages have no waiver. A waiver that no shipped mail needs any more fails the tests.
export const waivers = [
  {
    rule: "no-deprecated-attr",
    message: /^Attribute "(width|align|cellpadding|cellspacing)" is deprecated on <table> element$/,
    reason: "Outlook for Windows lays out with Word: it takes a table's size, place and spacing from attributes alone.",
  },
  {
    rule: "no-deprecated-attr",
    message: /^Attribute "(width|align|valign)" is deprecated on <td> element$/,
    reason: "The same for cells; align also keeps right-to-left text at its side where dir is dropped.",
  },
];
