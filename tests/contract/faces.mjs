// The faces of the simulator, each with what is to be lived through there. Its name is also that of its document in tests/fixtures/openapi.
//
// key: of an empty world; seeded: of one that is alive. base: the path of the account's base_url. creates: what is brought to life, as path, body, and
// where it is to be seen afterwards. asks: every operation that the daemon needs for its work, sorted. listings: where the seeded world is to be seen.
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
    asks: ["GET /v1/sessions", "GET /v1/sessions/{id}", "POST /v1/sessions/{id}"],
    listings: ["/v1/sessions"],
    mistake: ["GET", "/v1/sessions?status=running"],
  },
];
