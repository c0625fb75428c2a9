import Foundation
import Testing

@testable import Gateway

@Suite("The OpenAPI document")
struct OpenAPITests {
  private func document(_ file: String = "{}") throws -> [String: Any] {
    let bytes = try OpenAPI.json(for: load(file: file))
    return try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  @Test("it parses, and lists every endpoint and the pages of the admin listener")
  func paths() throws {
    let document = try document()
    #expect(document["openapi"] as? String == "3.1.0")
    let paths = try #require(document["paths"] as? [String: [String: Any]])
    for endpoint in Endpoint.allCases {
      let path = endpoint == .walker ? "/walker/{name}" : endpoint.path
      let operation = try #require(paths[path]?[endpoint.isPost ? "post" : "get"] as? [String: Any], "\(path)")
      #expect(operation["tags"] as? [String] == [endpoint.dialect.name])
    }
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json"] {
      #expect(paths[path]?["servers"] != nil, "\(path)")
    }
    #expect(paths.count == Endpoint.allCases.count + 4)
  }

  @Test("what it refers to is there, every operation has an answer, and no identifier stands there twice")
  func references() throws {
    let document = try document()
    let components = try #require(document["components"] as? [String: [String: Any]])
    let text = String(decoding: try OpenAPI.json(for: load()), as: UTF8.self)
    let marker = "\"$ref\":\"#/components/schemas/"
    let names = text.split(separator: marker, omittingEmptySubsequences: false).dropFirst().map {
      $0.prefix { $0 != "\"" }
    }
    #expect(!names.isEmpty)
    for name in names { #expect(components["schemas"]?[String(name)] != nil, "\(name)") }
    var identifiers: [String] = []
    for (path, item) in try #require(document["paths"] as? [String: [String: Any]]) {
      for (_, value) in item {
        guard let operation = value as? [String: Any] else { continue }
        let responses = try #require(operation["responses"] as? [String: [String: Any]])
        #expect(!responses.isEmpty && responses.values.allSatisfy { $0["description"] is String }, "\(path)")
        identifiers.append(try #require(operation["operationId"] as? String))
        for scheme in operation["security"] as? [[String: Any]] ?? [] {
          for name in scheme.keys { #expect(components["securitySchemes"]?[name] != nil) }
        }
      }
    }
    #expect(Set(identifiers).count == identifiers.count && identifiers.count == Endpoint.allCases.count + 4)
  }

  @Test("only what is mounted is in it, and the admin listener where there is one")
  func mounted() throws {
    let some = try document("{admin:{enabled:false},listeners:[{port:1,mounts:[{path:'/a',dialect:'sessions'}]}]}")
    #expect((some["paths"] as? [String: Any])?.keys.sorted() == ["/auth/token"])
  }
}
