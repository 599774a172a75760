// The faces of the simulator, each with what is to be lived through there. Its name is also that of its document in tests/fixtures/openapi.
//
// key: of an empty world; seeded: of one that is alive. base: the path of the account's base_url. creates: what is brought to life, as path, body, and
// where it is to be seen afterwards. leaves: how the first one that was created there comes to be idle, as method, path and body, filled from the answer
// before; beside Prism where no document has it. asks: every operation that the daemon needs for its work, sorted. listings: where the seeded world is to be seen.
// mistake: a request that the document rejects.

export const FACES = [
  {
    name: "browserbase",
    provider: "browserbase",
    header: "x-bb-api-key",
    key: "bb_demo_contract",
    seeded: "bb_demo",
    base: "",
    creates: [
      ["/v1/sessions", {}, "/v1/sessions/{id}"],
      ["/v1/sessions", { keepAlive: true, region: "eu-central-1", timeout: 3600, userMetadata: { env: "ci", attempt: 3 } }, "/v1/sessions/{id}"],
      ["/v1/sessions", { keepAlive: true, userMetadata: { owner: { team: "growth" } } }, "/v1/sessions/{id}"],
    ],
    leaves: { creates: "/v1/sessions", steps: [["POST", "/v1/sessions/{id}/simulate", { act: "command" }, "beside Prism"]] },
    asks: [
      "GET /v1/sessions",
      "GET /v1/sessions/{id}",
      "GET /v1/sessions/{id}/debug",
      "GET /v1/sessions/{id}/logs",
      "POST /v1/sessions/{id}",
    ],
    listings: ["/v1/sessions"],
    mistake: ["GET", "/v1/sessions?status=running"],
  },
  browserUse("v2", {
    creates: [
      ["/browsers", { timeout: 30, metadata: { env: "ci", team: "growth" } }, "/browsers/{id}"],
      ["/sessions", { keepAlive: true }, "/sessions/{id}"],
      ["/tasks", { task: "look around", metadata: { env: "ci" } }, "/sessions/{sessionId}"],
    ],
    leaves: {
      creates: "/sessions",
      steps: [
        ["POST", "/tasks", { task: "look once", sessionId: "{id}" }],
        ["PATCH", "/tasks/{id}", { action: "stop" }],
      ],
    },
    asks: [
      "GET /browsers",
      "GET /browsers/{session_id}",
      "GET /sessions",
      "GET /sessions/{session_id}",
      "GET /tasks",
      "PATCH /browsers/{session_id}",
      "PATCH /sessions/{session_id}",
    ],
    listings: ["/sessions?pageSize=100", "/browsers?pageSize=100", "/tasks?pageSize=100"],
    mistake: ["PATCH", "/sessions/00000000-0000-4000-8000-000000000000", { action: "sleep" }],
  }),
  browserUse("v3", {
    creates: [
      ["/browsers", { timeout: 30, metadata: { env: "ci", team: "growth" } }, "/browsers/{id}"],
      ["/sessions", { task: "look around", keepAlive: true }, "/sessions/{id}"],
      ["/sessions", { keepAlive: true }, "/sessions/{id}"],
    ],
    leaves: { creates: "/sessions", steps: [["POST", "/sessions/{id}/stop", { strategy: "task" }]] },
    asks: [
      "GET /browsers",
      "GET /browsers/{session_id}",
      "GET /sessions",
      "GET /sessions/{session_id}",
      "GET /sessions/{session_id}/messages",
      "PATCH /browsers/{session_id}",
      "POST /sessions/{session_id}/stop",
    ],
    listings: ["/sessions?page_size=100", "/browsers?pageSize=100"],
    mistake: ["POST", "/sessions/00000000-0000-4000-8000-000000000000/stop", { strategy: "sleep" }],
  }),
  browserUse("v4", {
    creates: [
      ["/browsers", { timeout: 30, metadata: { env: "ci", team: "growth" } }, "/browsers/{id}"],
      ["/runs", { task: "look around" }, "/runs/{id}/status"],
      ["/runs", { task: "look again" }, "/runs/{id}/status"],
    ],
    leaves: { creates: "/runs", steps: [["POST", "/runs/{id}/cancel"]] },
    asks: [
      "GET /browsers",
      "GET /browsers/{session_id}",
      "GET /runs",
      "GET /runs/{run_id}/status",
      "GET /sessions",
      "PATCH /browsers/{session_id}",
      "POST /runs/{run_id}/cancel",
    ],
    listings: ["/sessions?limit=100", "/runs?limit=100", "/browsers?pageSize=100"],
    mistake: ["GET", "/sessions?limit=101"],
  }),
];

function browserUse(version, { asks, ...story }) {
  const base = `/api/${version}`;
  const account = { name: `browser-use-${version}`, provider: "browser-use", base };
  const keys = { header: "x-browser-use-api-key", key: `bu_demo_contract_${version}`, seeded: "bu_demo" };
  return { ...account, ...keys, ...story, asks: asks.map((operation) => operation.replace(" ", ` ${base}`)) };
}
