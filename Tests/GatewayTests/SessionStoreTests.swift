import Buffers
import Testing

@testable import Gateway

@Suite("Sessions and issued tokens")
struct SessionStoreTests {
  private func lookup(_ store: SessionStore, _ token: String, _ now: Int64 = 0) -> EventSession? {
    store.lookup(token: token.utf8Span.span, nowMilliseconds: now)
  }

  private func revoke(_ store: SessionStore, _ token: String) -> Bool { store.revoke(token: token.utf8Span.span) }

  @Test("a session is found by its token until it ends or is revoked")
  func life() throws {
    let store = SessionStore(countMax: 10, ttlSeconds: 60)
    let (token, session) = try #require(store.create(userId: "u", nowMilliseconds: 5))
    #expect(session == EventSession(userId: "u", expiresAtMilliseconds: 60_005) && session.isLoggedIn)
    #expect(lookup(store, token, 60_004) == session && lookup(store, token, 60_005) == nil)
    #expect(revoke(store, token) && !revoke(store, token))
    #expect(lookup(store, token) == nil && store.count == 0)
  }

  @Test("tokens are 43 characters, never the same, and anything else is none")
  func tokens() throws {
    let store = SessionStore(countMax: 1_000, ttlSeconds: 60)
    var seen: Set<String> = []
    for _ in 0..<500 { seen.insert(try #require(store.create(nowMilliseconds: 0)).token) }
    #expect(seen.count == 500 && seen.allSatisfy { $0.utf8.count == 43 && TokenKey($0.utf8Span.span)?.text == $0 })
    let token = try #require(seen.first)
    for other in ["", "x", token + "A", String(token.dropLast()), String(token.dropLast()) + "=", token + " "] {
      #expect(lookup(store, other) == nil)
    }
  }

  @Test("a full store lets the oldest anonymous session go, never a user's")
  func eviction() throws {
    let store = SessionStore(countMax: 3, ttlSeconds: 60)
    let user = try #require(store.create(userId: "u", nowMilliseconds: 0)).token
    let first = try #require(store.create(nowMilliseconds: 1)).token
    let second = try #require(store.create(nowMilliseconds: 2)).token
    let third = try #require(store.create(nowMilliseconds: 3)).token
    #expect(lookup(store, first) == nil && store.count == 3)
    #expect(lookup(store, user) != nil && lookup(store, second) != nil && lookup(store, third) != nil)
    for _ in 0..<2 { #expect(store.create(userId: "v", nowMilliseconds: 4) != nil) }
    #expect(store.create(nowMilliseconds: 5) == nil && store.create(userId: "w", nowMilliseconds: 5) == nil)
    #expect(store.create(nowMilliseconds: 60_004) != nil)
  }

  @Test("expired sessions give their memory back, revoked ones leave no trail")
  func memory() throws {
    let store = SessionStore(countMax: 10_000, ttlSeconds: 1)
    for _ in 0..<100 { _ = store.create(nowMilliseconds: 0) }
    store.sweep(nowMilliseconds: 999)
    #expect(store.count == 100)
    store.sweep(nowMilliseconds: 1_000)
    #expect(store.count == 0)
    for _ in 0..<5_000 {
      let token = try #require(store.create(nowMilliseconds: 2_000)).token
      #expect(revoke(store, token))
    }
    #expect(store.count == 0)
  }

  @Test("a queue of tokens gives them out in order")
  func queue() {
    var queue = TokenQueue()
    let keys = (0..<100).map { _ in TokenKey.random() }
    for key in keys { queue.append(key) }
    for key in keys.prefix(60) {
      #expect(queue.first == key)
      queue.removeFirst()
    }
    #expect(queue.count == 40)
    let wanted = Set(keys.suffix(10))
    queue.filter { wanted.contains($0) }
    #expect(queue.count == 10 && queue.first == keys[90])
  }

  @Test("an issued token is listed until it ends, and the list is bounded")
  func list() {
    let list = TokenList(countMax: 2)
    func token(_ seed: String) -> String { "head.\(seed)." + String(repeating: "A", count: 42) + seed }
    func insert(_ seed: String, _ end: Int64, _ now: Int64) -> Bool {
      list.insert(token(seed).utf8Span.span, endSeconds: end, nowSeconds: now)
    }
    func contains(_ seed: String, _ now: Int64) -> Bool { list.contains(token(seed).utf8Span.span, nowSeconds: now) }
    #expect(insert("A", 10, 0) && insert("E", 11, 1) && !insert("I", 12, 2))
    #expect(contains("A", 9) && !contains("A", 10) && contains("E", 10) && !contains("I", 5))
    #expect(insert("I", 20, 10) && contains("I", 10) && list.count == 2)
    let isTaken = list.insert("no token".utf8Span.span, endSeconds: 9, nowSeconds: 0)
    #expect(!isTaken)
  }
}
