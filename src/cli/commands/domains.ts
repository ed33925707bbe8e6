import { apiFlag, defineCommand, jsonFlag } from "../command.ts";

export default defineCommand({
  usage: "domains",
  examples: [
    { command: "viaduct domains", effect: "names, and whether routes in them are public, internal or TCP" },
  ],
  parameters: [],
  options: { ...jsonFlag, ...apiFlag },
  async run({ flags, out, client }) {
    const api = await client();
    const domains = (await api.list("/v3/domains")).map((domain) => ({
      guid: domain.text("guid"),
      name: domain.text("name"),
      kind: domain.find("internal") === true ? "internal" : domain.has("router_group") ? "tcp" : "http",
      isShared: !domain.has("relationships", "organization", "data"),
    }));
    if (flags.json === true) out.json(domains);
    else {
      out.table(
        ["name", "kind", "for"],
        domains.map((d) => [d.name, d.kind, d.isShared ? "everybody" : "one organization"]),
      );
    }
    return 0;
  },
});
