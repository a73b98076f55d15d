// swift-tools-version: 6.3
import PackageDescription

/// What every target is built with: the settings of the package above, whose manifest says why. Only async functions run as
/// Hummingbird's do.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The page that shows a storage, a package of its own: only those who build it build a server.
let package = Package(
  name: "immuta-ui",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "immuta-ui", targets: ["ImmutaUI"])
  ],
  // As the package above has them: each needs a C library that not every machine has.
  traits: [
    .trait(name: "Zstd", description: "Decodes Zstandard; needs libzstd with its headers."),
    .trait(name: "LZ4", description: "Decodes LZ4; needs liblz4 with its headers."),
  ],
  dependencies: [
    // By path, under the name that the product is asked for by, whatever the folder is called.
    .package(
      name: "immuta", path: "..",
      traits: [
        .trait(name: "Zstd", condition: .when(traits: ["Zstd"])),
        .trait(name: "LZ4", condition: .when(traits: ["LZ4"])),
      ]),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    // Without what its traits bring: no configuration files, no full Foundation.
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    // What Hummingbird is made of, and the page uses, too.
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.0.0"),
  ],
  targets: [
    .executableTarget(
      name: "ImmutaUI",
      dependencies: [
        .product(name: "Immuta", package: "immuta"),
        .product(name: "ImmutaTransforms", package: "immuta"),
        .product(name: "LogStore", package: "immuta"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      resources: [.embedInCode("Resources")],
      swiftSettings: settings),
    // The logs that the tests in a browser look at.
    .executableTarget(
      name: "test-logs",
      dependencies: [
        .product(name: "Immuta", package: "immuta"), .product(name: "ImmutaTransforms", package: "immuta"),
        .product(name: "LogStore", package: "immuta"),
      ],
      path: "Tests/TestLogs",
      swiftSettings: settings),
    // Beside these are the tests in a browser, which are no Swift: see Scripts/ui-tests.sh.
    .testTarget(
      name: "ImmutaUITests",
      dependencies: [
        "ImmutaUI",
        .product(name: "Immuta", package: "immuta"),
        .product(name: "ImmutaTransforms", package: "immuta"),
        .product(name: "LogStore", package: "immuta"),
        .product(name: "ImmutaTestSupport", package: "immuta"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdTesting", package: "hummingbird"),
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
