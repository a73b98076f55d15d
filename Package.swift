// swift-tools-version: 6.3
import PackageDescription

/// What every Swift target is built with.
let settings: [SwiftSetting] = [
  // An async function runs on its caller's executor: iterating a stream from an actor costs no hop per record.
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  // `any` is written where a value is boxed, so that a box is never an accident.
  .enableUpcomingFeature("ExistentialAny"),
  // A file imports what it uses; a public signature cannot lean on an import that its users don't have.
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A product that is needed, and fetched, only with the trait Service.
func service(_ product: String, of package: String) -> Target.Dependency {
  .product(name: product, package: package, condition: .when(traits: ["Service"]))
}

/// The engine's own setting: every unsafe expression is marked where it stands.
let strict: [SwiftSetting] = settings + [.strictMemorySafety()]

let package = Package(
  name: "immuta",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Immuta", targets: ["Immuta"]),
    .library(name: "ImmutaTransforms", targets: ["ImmutaTransforms"]),
    .library(name: "ImmutaFoundation", targets: ["ImmutaFoundation"]),
    .library(name: "ImmutaCodable", targets: ["ImmutaCodable"]),
    .library(name: "LogStore", targets: ["ImmutaLogStore"]),
    .library(name: "ImmutaJetStream", targets: ["ImmutaJetStream"]),
    .library(name: "Solid", targets: ["Solid"]),
    .library(name: "ImmutaTestSupport", targets: ["ImmutaTestSupport"]),
    .library(name: "ImmutaService", targets: ["ImmutaService"]),
    .executable(name: "immuta", targets: ["ImmutaCLI"]),
  ],
  // Off by default, as each needs a C library that not every machine has, or packages that only servers use.
  traits: [
    .trait(name: "Zstd", description: "Zstandard in ImmutaTransforms and the tool; needs libzstd with its headers."),
    .trait(name: "LZ4", description: "LZ4 in ImmutaTransforms and the tool; needs liblz4 with its headers."),
    .trait(name: "JetStream", description: "ImmutaJetStream, a log on a NATS cluster; needs libnats with its headers."),
    .trait(name: "Service", description: "ImmutaService, for servers; fetches the packages that it is made for."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    // Fetched only with the trait Service, as nothing else uses their products: Scripts/dependencies.sh checks that.
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    .target(name: "CImmutaCRC32C"),
    .target(name: "CImmutaFileCalls"),
    .target(name: "CImmutaProcessNeeds"),
    .target(name: "ImmutaLibC", swiftSettings: strict),
    .target(name: "ImmutaLocking", swiftSettings: strict),
    .target(name: "Solid", dependencies: ["ImmutaLocking"], swiftSettings: strict),
    .target(
      name: "Immuta",
      dependencies: [
        "CImmutaFileCalls", "CImmutaCRC32C", "ImmutaLibC", "ImmutaLocking", "Solid",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict
    ),
    // By its file's name on Linux, where only the headers' package would bring the name without a version.
    .target(
      name: "CImmutaDeflate",
      linkerSettings: [
        .linkedLibrary(":libz.so.1", .when(platforms: [.linux])), .linkedLibrary("z", .when(platforms: [.macOS])),
      ]),
    .systemLibrary(name: "CImmutaZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(name: "CImmutaLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"]), .brew(["lz4"])]),
    .target(
      name: "ImmutaTransforms",
      dependencies: [
        "CImmutaDeflate", "Immuta", .product(name: "Crypto", package: "swift-crypto"),
        .target(name: "CImmutaZstd", condition: .when(traits: ["Zstd"])),
        .target(name: "CImmutaLZ4", condition: .when(traits: ["LZ4"])),
      ],
      swiftSettings: settings
    ),
    // What the engine's types are to Foundation, which the engine does not use.
    .target(name: "ImmutaFoundation", dependencies: ["Immuta"], swiftSettings: settings),
    // Values instead of bytes, by Foundation's coders.
    .target(name: "ImmutaCodable", dependencies: ["Immuta", "ImmutaLocking"], swiftSettings: strict),
    .target(
      name: "ImmutaLogStore",
      dependencies: [
        "Immuta", "ImmutaLibC", "ImmutaLocking", "Solid", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .systemLibrary(name: "CImmutaNats", pkgConfig: "libnats", providers: [.apt(["libnats-dev"]), .brew(["cnats"])]),
    // Nothing at all without the trait.
    .target(
      name: "ImmutaJetStream",
      dependencies: [
        "Immuta", "ImmutaLibC", "ImmutaLocking", .product(name: "Logging", package: "swift-log"),
        .target(name: "CImmutaNats", condition: .when(traits: ["JetStream"])),
      ],
      swiftSettings: strict),
    // As above.
    .target(
      name: "ImmutaService",
      dependencies: [
        "Immuta", "ImmutaLocking", "ImmutaLogStore", .product(name: "Logging", package: "swift-log"),
        service("CoreMetrics", of: "swift-metrics"), service("ServiceLifecycle", of: "swift-service-lifecycle"),
        service("Tracing", of: "swift-distributed-tracing"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "ImmutaCLI",
      dependencies: [
        "CImmutaProcessNeeds", "Immuta", "ImmutaJetStream", "ImmutaLibC", "ImmutaTransforms", "ImmutaLogStore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings
    ),
    .target(
      name: "ImmutaTestSupport", dependencies: ["Immuta", "ImmutaLibC", "ImmutaLocking"], swiftSettings: settings),
    .testTarget(name: "CImmutaCRC32CTests", dependencies: ["CImmutaCRC32C"], swiftSettings: settings),
    .testTarget(name: "SolidTests", dependencies: ["Solid"], swiftSettings: settings),
    .testTarget(
      name: "ImmutaTests",
      dependencies: [
        "Immuta", "ImmutaFoundation", "ImmutaTestSupport", "ImmutaLocking",
        .product(name: "Logging", package: "swift-log"),
      ],
      resources: [.copy("Fixtures")],
      swiftSettings: settings),
    .testTarget(
      name: "ImmutaCLITests",
      dependencies: [
        "Immuta", "ImmutaCLI", "ImmutaLibC", "ImmutaLocking", "ImmutaTestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      resources: [.copy("Fixtures")],
      swiftSettings: settings),
    .testTarget(
      name: "ImmutaTransformsTests", dependencies: ["Immuta", "ImmutaTransforms", "ImmutaTestSupport"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "ImmutaCodableTests",
      dependencies: [
        "Immuta", "ImmutaCodable", "ImmutaLocking", "ImmutaTestSupport",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ImmutaLogStoreTests",
      dependencies: ["Immuta", "ImmutaLibC", "ImmutaLocking", "ImmutaTestSupport", "ImmutaLogStore"],
      resources: [.copy("Fixtures")], swiftSettings: settings),
    .testTarget(
      name: "ImmutaJetStreamTests",
      dependencies: [
        "Immuta", "ImmutaJetStream", "ImmutaLibC", "ImmutaLocking", "ImmutaTestSupport",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "ImmutaServiceTests",
      dependencies: [
        "Immuta", "ImmutaCodable", "ImmutaLibC", "ImmutaLocking", "ImmutaLogStore", "ImmutaService",
        "ImmutaTestSupport",
        .product(name: "Logging", package: "swift-log"),
        service("CoreMetrics", of: "swift-metrics"), service("MetricsTestKit", of: "swift-metrics"),
        service("ServiceLifecycle", of: "swift-service-lifecycle"),
        service("Tracing", of: "swift-distributed-tracing"),
        service("InMemoryTracing", of: "swift-distributed-tracing"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "TortureTests",
      dependencies: [
        "Immuta", "ImmutaCLI", "ImmutaCodable", "ImmutaLibC", "ImmutaTestSupport", "ImmutaTransforms", "ImmutaLocking",
        "ImmutaLogStore", "Solid",
      ],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)

// A script that builds everything once more, for a sanitizer or with a fault in the engine, names the test targets that it runs:
// what none of them needs is not built.
if let names = Context.environment["IMMUTA_TEST_TARGETS"]?.split(separator: " ").map(String.init) {
  package.targets.removeAll { $0.type == .test && !names.contains($0.name) }
  if !names.contains("ImmutaCLITests"), !names.contains("TortureTests") {
    package.products.removeAll { $0.name == "immuta" }
    package.targets.removeAll { $0.name == "ImmutaCLI" || $0.name == "CImmutaProcessNeeds" }
  }
}

// Each executable target is a program that `swift run` could mean, and this one is for Scripts/counts.sh alone, which sets
// the variable. In a package of its own it would need another release build of all that it counts.
if Context.environment["IMMUTA_COUNTED_WORK"] != nil {
  package.targets.append(
    .executableTarget(
      name: "CountedWork", dependencies: ["Immuta", "ImmutaLibC", "ImmutaTransforms"], path: "Tests/CountedWork",
      swiftSettings: settings))
}

// As above: Scripts/bench.sh sets the variable. It needs the C client's module, which no product has, and so it cannot be in the
// package of the other benchmarks.
if Context.environment["IMMUTA_CLUSTER_RATES"] != nil {
  package.targets.append(
    .executableTarget(
      name: "ClusterRates",
      dependencies: [
        "Immuta", "ImmutaJetStream", .target(name: "CImmutaNats", condition: .when(traits: ["JetStream"])),
      ],
      path: "Benchmarks/Sources/Cluster", swiftSettings: strict))
}
