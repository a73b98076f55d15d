// swift-tools-version: 6.3
import PackageDescription

/// A package of its own: only those who build it fetch a web server.
let package = Package(
  name: "access-log",
  platforms: [.macOS(.v15)],
  dependencies: [
    // By path, under the name that the product is asked for by, whatever the folder is called.
    .package(name: "immuta", path: "../..", traits: ["Service"]),
    // Without what its traits bring: no configuration files, no full Foundation.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .executableTarget(
      name: "access-log",
      dependencies: [
        .product(name: "Immuta", package: "immuta"),
        .product(name: "ImmutaCodable", package: "immuta"),
        .product(name: "ImmutaService", package: "immuta"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      path: "Sources")
  ],
  swiftLanguageModes: [.v6]
)
