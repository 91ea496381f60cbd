# An Anvil to try things out on, from the npm packages that the checkout is locked to. Not for anything of value.
FROM node:20-bookworm-slim
WORKDIR /node
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
USER node
ENV HOME=/tmp PATH=/node/node_modules/.bin:$PATH
ENTRYPOINT ["anvil"]
CMD ["--host", "0.0.0.0"]
