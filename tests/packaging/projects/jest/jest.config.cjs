module.exports = { testMatch: ["**/*.test.cjs"], transform: {}, watchman: false };
