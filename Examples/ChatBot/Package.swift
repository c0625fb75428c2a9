// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "ChatBot",
  // In a program of your own: .package(url: "https://…/martlet.git", branch: "main")
  dependencies: [.package(name: "martlet", path: "../..")],
  targets: [
    .executableTarget(name: "ChatBot", dependencies: [.product(name: "Martlet", package: "martlet")])
  ]
)
