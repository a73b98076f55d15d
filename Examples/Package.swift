// swift-tools-version: 6.2
import PackageDescription

/// The documentation's programs, a package of their own: they see of Immuta what any other package sees.
let package = Package(
  name: "examples",
  platforms: [.macOS(.v15)],
  dependencies: [
    // By path, under the name that the product is asked for by, whatever the folder is called.
    .package(name: "immuta", path: "..", traits: ["Service"]),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    example("quickstart", "Quickstart"),
    // The tutorials.
    example("notes", "Notes"),
    example("stock", "Stock", ["ImmutaCodable"]),
    example("mail", "Mail"),
    example("diary", "Diary", ["ImmutaTransforms"]),
    // Everything else.
    example("one-at-a-time", "OneAtATime"),
    example("transactions", "Transactions"),
    example("follow-other-process", "FollowOtherProcess"),
    example("event-store", "EventStore"),
    example("compressing", "Compressing", ["ImmutaTransforms"]),
    example("encrypting", "Encrypting", ["ImmutaTransforms"]),
    example("commit-log", "CommitLog", ["LogStore"]),
    example("event-sourcing", "EventSourcing", ["ImmutaCodable"]),
    example("exactly-once", "ExactlyOnce"),
    example("tally", "Tally", ["ImmutaCodable"]),
    example("accounts", "Accounts", ["ImmutaCodable"]),
    example("web-logs", "WebLogs", ["LogStore"]),
    example("work-queue", "WorkQueue"),
    example("message-queue", "MessageQueue", ["LogStore"]),
    example(
      "service", "Service", ["ImmutaService"],
      more: [
        .product(name: "Logging", package: "swift-log"), .product(name: "CoreMetrics", package: "swift-metrics"),
        .product(name: "MetricsTestKit", package: "swift-metrics"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ]),
    example("third-party-transform", "ThirdPartyTransform", more: [.product(name: "Crypto", package: "swift-crypto")]),
  ],
  swiftLanguageModes: [.v6]
)

func example(
  _ name: String, _ folder: String, _ products: [String] = [], more: [Target.Dependency] = []
) -> Target {
  .executableTarget(
    name: name,
    dependencies: (["Immuta"] + products).map { .product(name: $0, package: "immuta") } + more,
    path: "Sources/\(folder)")
}
