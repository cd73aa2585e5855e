# Sluice and its test backends, run from their TypeScript sources by Node 24.
FROM node:24-slim AS build
WORKDIR /sluice
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./
COPY scripts scripts
COPY packages packages
# The test backends read them when they start.
COPY protos protos
# The pnpm that scripts/setup.mjs pins. Without dev dependencies, so without the npm package `node` too: the image has one.
RUN version=$(sed -n "s/^const pnpmVersion = '\(.*\)'$/\1/p" scripts/setup.mjs) \
 && npx --yes "pnpm@$version" install --prod --frozen-lockfile --reporter=append-only

FROM node:24-slim
# Packages resolve to their sources, not to a `dist` that is not there. The other flag is explained in
# packages/sluice/bin/node-flags.js; the launcher cannot set it for a process that it does not start.
ENV NODE_ENV=production NODE_OPTIONS="--conditions=@sluice/source --max-semi-space-size=2"
WORKDIR /sluice
# Owned by root and read by all: what runs cannot change itself.
COPY --from=build /sluice ./
USER node
EXPOSE 8080 8081 8082 50050 9901
# Exec form: Node is process 1 and gets SIGTERM, SIGHUP and the rest itself.
ENTRYPOINT ["node", "packages/sluice/bin/sluice.js"]
CMD ["run", "/etc/sluice/sluice.yaml"]
