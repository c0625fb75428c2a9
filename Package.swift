// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is compiled in Swift 6 mode with strict memory safety: a pointer is only touched behind `unsafe`.
let settings: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "martlet",
  products: [
    .executable(name: "martlet", targets: ["martlet"]),
    .library(name: "Martlet", targets: ["Martlet"]),
    .executable(name: "martlet-bench", targets: ["martlet-bench"]),
    .executable(name: "martlet-bench-app", targets: ["martlet-bench-app"]),
    .library(name: "MartletClient", targets: ["MartletClient"]),
  ],
  targets: [
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CCrypto"),
    .systemLibrary(name: "CCrypt"),
    .systemLibrary(name: "CZlib"),
    .systemLibrary(name: "CCurl"),
    .target(name: "Buffers", swiftSettings: settings),
    .target(name: "Wire", dependencies: ["Buffers"], swiftSettings: settings),
    .target(name: "Compression", dependencies: ["CZlib", "Buffers"], swiftSettings: settings),
    .target(name: "Auth", dependencies: ["CCrypto", "CCrypt", "Buffers"], swiftSettings: settings),
    .target(name: "Topics", dependencies: ["Buffers"], swiftSettings: settings),
    .target(name: "Dialects", dependencies: ["Topics", "Wire", "Buffers"], swiftSettings: settings),
    .target(name: "EventLoop", dependencies: ["CLinux", "Buffers"], swiftSettings: settings),
    .target(name: "Backends", dependencies: ["CCurl", "Auth", "EventLoop", "Buffers"], swiftSettings: settings),
    .target(
      name: "Gateway",
      dependencies: ["Backends", "EventLoop", "Compression", "Dialects", "Topics", "Wire", "Auth", "Buffers"],
      swiftSettings: settings),
    .target(name: "Martlet", dependencies: ["Gateway", "EventLoop"], swiftSettings: settings),
    .executableTarget(name: "martlet", dependencies: ["Gateway", "Auth"], swiftSettings: settings),
    .target(
      name: "MartletClient", dependencies: ["EventLoop", "Wire", "Auth", "Buffers"], swiftSettings: settings),
    .target(name: "TestSeeds", path: "Tests/Seeds", swiftSettings: settings),
    .target(name: "MallocCounter", path: "Tests/MallocCounter"),
    .testTarget(
      name: "AllocationTests",
      dependencies: ["MallocCounter", "TestSupport", "Gateway", "Dialects", "Auth", "Wire", "EventLoop", "Buffers"],
      swiftSettings: settings),
    .target(
      name: "BenchKit", dependencies: ["EventLoop", "Compression", "CLinux", "Buffers"], path: "Benchmarks/BenchKit",
      swiftSettings: settings),
    .executableTarget(
      name: "martlet-bench", dependencies: ["BenchKit"], path: "Benchmarks/Bench", swiftSettings: settings),
    .executableTarget(
      name: "martlet-bench-app", dependencies: ["Gateway", "Auth", "EventLoop"], path: "Benchmarks/App",
      swiftSettings: settings),
    .testTarget(name: "BuffersTests", dependencies: ["TestSeeds", "Buffers"], swiftSettings: settings),
    .testTarget(name: "WireTests", dependencies: ["TestSeeds", "Wire", "Buffers"], swiftSettings: settings),
    .testTarget(name: "TopicsTests", dependencies: ["TestSeeds", "Topics", "Buffers"], swiftSettings: settings),
    .testTarget(
      name: "EventLoopTests", dependencies: ["TestSeeds", "EventLoop", "CLinux", "Buffers"], swiftSettings: settings),
    .testTarget(name: "DialectsTests", dependencies: ["Dialects", "Wire", "Buffers"], swiftSettings: settings),
    .testTarget(name: "StyleTests", swiftSettings: settings),
    .testTarget(
      name: "CompressionTests", dependencies: ["TestSeeds", "Compression", "Buffers"], swiftSettings: settings),
    .testTarget(name: "AuthTests", dependencies: ["TestSeeds", "Auth", "Buffers"], swiftSettings: settings),
    .testTarget(
      name: "BackendsTests", dependencies: ["Backends", "TestSupport"], exclude: ["Servers"],
      swiftSettings: settings),
    .testTarget(
      name: "GatewayTests",
      dependencies: ["TestSupport", "TestSeeds", "Backends", "Gateway", "EventLoop", "Wire", "Auth", "Buffers"],
      swiftSettings: settings),
    .testTarget(
      name: "MartletTests", dependencies: ["Martlet", "TestSupport", "EventLoop"], swiftSettings: settings),
    .testTarget(name: "ExampleTests", dependencies: ["TestSupport"], swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["MallocCounter", "Auth"], path: "Tests/Support", swiftSettings: settings),
    .testTarget(
      name: "EndToEndTests", dependencies: ["martlet", "TestSupport", "TestSeeds"], exclude: ["Clients"],
      swiftSettings: settings),
    .executableTarget(
      name: "bystander", dependencies: ["TestSupport"], path: "Tests/Bystander", swiftSettings: settings),
    .testTarget(
      name: "ConformanceTests",
      dependencies: ["martlet", "TestSupport", "Gateway", "Auth", "EventLoop", "Compression", "Buffers"],
      exclude: ["Servers"], swiftSettings: settings),
    .testTarget(
      name: "HostileTests",
      dependencies: ["martlet", "bystander", "TestSupport", "MallocCounter", "Compression", "Buffers"],
      swiftSettings: settings),
    .testTarget(
      name: "SimulationTests",
      dependencies: ["TestSeeds", "Gateway", "Topics", "Auth", "EventLoop", "Buffers", "CZlib"],
      swiftSettings: settings),
    .testTarget(
      name: "CommandLineTests", dependencies: ["martlet", "Gateway", "Auth", "Buffers"], swiftSettings: settings),
    .testTarget(
      name: "MartletClientTests",
      dependencies: ["martlet", "MartletClient", "TestSupport", "TestSeeds", "Auth", "Wire", "EventLoop", "Buffers"],
      swiftSettings: settings),
    .target(
      name: "FuzzTargets",
      dependencies: ["TestSeeds", "Gateway", "Dialects", "Wire", "Compression", "CZlib", "Auth", "Buffers"],
      path: "Tests/Fuzz/Targets", swiftSettings: settings),
    .testTarget(name: "FuzzReplayTests", dependencies: ["FuzzTargets", "TestSeeds"], swiftSettings: settings),
    .testTarget(
      name: "ClientTests", dependencies: ["martlet", "TestSupport"], exclude: ["Scripts"], swiftSettings: settings),
    .testTarget(
      name: "BenchTests", dependencies: ["TestSeeds", "BenchKit", "martlet-bench", "martlet-bench-app", "Buffers"],
      swiftSettings: settings),
  ]
)
