#include "tests/sim/definitions.h"

#define HEAD(name)                                                                                 \
    "document: { dsl: '1.0.3', namespace: " SIM_NAMESPACE ", name: " name ", version: '1.0.0' }\n"

const struct sim_definition sim_definitions[] = {
    {"chain", HEAD("chain") "do:\n"
                            "  - one: { call: a.one, with: { n: '${ .n }' } }\n"
                            "  - two: { call: a.two }\n"
                            "  - three: { call: a.three, with: { before: '${ . }' } }\n"},
    {"choice", HEAD("choice") "do:\n"
                              "  - look: { call: a.one, with: { n: '${ .n }' }, output: { as: "
                              "'${ $workflow.input }' } }\n"
                              "  - which:\n"
                              "      switch:\n"
                              "        - even: { when: '${ .n % 2 == 0 }', then: left }\n"
                              "        - odd: { then: right }\n"
                              "  - left: { call: b.left, with: { n: 1 }, then: last }\n"
                              "  - right: { call: b.right, with: { n: 2 } }\n"
                              "  - last: { call: a.three, with: { n: 3 } }\n"},
    {"nap", HEAD("nap") "do:\n"
                        "  - before: { call: a.one, with: { n: '${ .n }' } }\n"
                        "  - doze: { wait: { milliseconds: 700 } }\n"
                        "  - between: { call: a.two, with: { n: 2 } }\n"
                        "  - sleep: { wait: PT4S }\n"
                        "  - after: { call: a.three, with: { n: 3 } }\n"},
    {"stubborn",
     HEAD("stubborn") "use:\n"
                      "  retries:\n"
                      "    quick: { delay: { milliseconds: 200 }, backoff: { exponential: {} },\n"
                      "             limit: { attempt: { count: 3 } },\n"
                      "             jitter: { from: { milliseconds: 0 }, to: { milliseconds: 50 } "
                      "} }\n"
                      "do:\n"
                      "  - attempt:\n"
                      "      try:\n"
                      "        - first: { call: c.flaky, with: { n: '${ .n }' } }\n"
                      "        - second: { call: c.flaky, with: { n: 2 } }\n"
                      "      catch:\n"
                      "        retry: quick\n"
                      "        as: error\n"
                      "        do:\n"
                      "          - mend: { call: c.mend, with: { why: '${ $error.type }' } }\n"
                      "  - finish: { call: a.three, with: { n: 3 } }\n"},
    {"saga",
     "document: { dsl: '1.0.3', namespace: " SIM_NAMESPACE ", name: saga, version: '1.0.0',\n"
     "            metadata: { pawl: { onFault: compensate } } }\n"
     "do:\n"
     "  - reserve:\n"
     "      call: d.reserve\n"
     "      with: { n: '${ .n }' }\n"
     "      metadata: { pawl: { compensate: { call: undo.release, with: { n: 1 } } } }\n"
     "  - charge:\n"
     "      call: d.charge\n"
     "      with: { n: 2 }\n"
     "      metadata: { pawl: { compensate: { call: undo.refund, with: { n: 2 } } } }\n"
     "  - book:\n"
     "      call: d.book\n"
     "      with: { n: 3 }\n"
     "      metadata: { pawl: { compensate: { call: undo.cancel, with: { n: 3 } } } }\n"
     "  - ship: { call: d.ship, with: { n: 4 } }\n"},
    {"mend",
     HEAD("mend") "do:\n"
                  "  - trip:\n"
                  "      try:\n"
                  "        - reserve:\n"
                  "            call: d.reserve\n"
                  "            with: { n: '${ .n }' }\n"
                  "            metadata: { pawl: { compensate: { call: undo.release, with: { n: 1 "
                  "} } } }\n"
                  "        - charge:\n"
                  "            call: d.charge\n"
                  "            with: { n: 2 }\n"
                  "            metadata: { pawl: { compensate: { call: undo.refund, with: { n: 2 } "
                  "},\n"
                  "                                compensateOn: [ completed, unknown ] } }\n"
                  "        - ship: { call: d.ship, with: { n: 4 } }\n"
                  "      catch:\n"
                  "        retry: { delay: { milliseconds: 100 }, limit: { attempt: { count: 1 } } "
                  "}\n"
                  "        do:\n"
                  "          - undo: { call: pawl.compensate }\n"
                  "          - note: { call: a.two, with: { n: 5 } }\n"
                  "  - last: { call: a.three, with: { n: 6 } }\n"},
    {"once", HEAD("once") "do:\n"
                          "  - careful:\n"
                          "      try:\n"
                          "        - pay:\n"
                          "            call: e.pay\n"
                          "            with: { n: '${ .n }' }\n"
                          "            metadata: { pawl: { atMostOnce: true } }\n"
                          "      catch:\n"
                          "        do:\n"
                          "          - ask: { call: e.ask, with: { n: 1 } }\n"
                          "  - done: { call: a.three, with: { n: 2 } }\n"},
    {"hurry", HEAD("hurry") "do:\n"
                            "  - limited:\n"
                            "      try:\n"
                            "        - slow: { call: f.slow, with: { n: 1 }, timeout: { after: "
                            "PT2S } }\n"
                            "      catch:\n"
                            "        do:\n"
                            "          - instead: { call: a.two, with: { n: 2 } }\n"
                            "  - done: { call: a.three, with: { n: 3 } }\n"},
};
const size_t sim_definition_count = sizeof sim_definitions / sizeof sim_definitions[0];

const char *const sim_step_types[] = {
    "a.one",  "a.two",     "a.three",      "b.left",      "b.right",     "c.flaky",
    "c.mend", "d.reserve", "d.charge",     "d.book",      "d.ship",      "e.pay",
    "e.ask",  "f.slow",    "undo.release", "undo.refund", "undo.cancel",
};
const size_t sim_step_type_count = sizeof sim_step_types / sizeof sim_step_types[0];
