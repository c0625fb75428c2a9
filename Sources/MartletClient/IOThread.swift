// The one thread that all clients of a process share: an epoll loop over their sockets and deadlines. Its own thread,
// except for `shared`, `wake` and `Lock`ed state.
import Buffers
import EventLoop

/// Something with at most one socket and at most one deadline that lives on the I/O thread.
protocol IODriver: AnyObject, Sendable {
  /// Does everything that can be done now. `readiness` is what epoll said of the socket of that generation, nil when
  /// something else is the reason for the call. Only the I/O thread calls it.
  func turn(
    _ reactor: borrowing Reactor, slot: UInt32, readiness: (generation: UInt32, Readiness)?, now: UInt64
  ) -> IOTurn
}

/// What a driver wants next.
struct IOTurn {
  /// When to call it again if nothing happens, on the monotonic clock in milliseconds.
  var deadline: UInt64?
  /// There is more to do than fits into one turn.
  var again = false
  /// It is over: never call it again.
  var isDone = false
}

/// The thread. It is started by the first client and sleeps when there is nothing to do.
final class IOThread: Sendable {
  /// The thread; or why the system does not let there be one.
  static let shared = Result { () throws(ClientError) in
    do throws(SystemError) { return try IOThread() } catch { throw .system(error.description) }
  }

  /// The longest sleep. Nothing depends on it; it bounds what a lost wake-up could cost.
  private static let sleepMillisecondsMax: UInt64 = 30_000

  private let doorbell: Doorbell
  /// Drivers that asked for a turn.
  private let woken = Lock<[any IODriver]>([])

  /// Milliseconds on the monotonic clock.
  static var now: UInt64 { System.monotonicNanoseconds() / 1_000_000 }

  private init() throws(SystemError) {
    doorbell = try Doorbell()
    // The loop moves from here to its thread.
    let handover = Lock<IOLoop?>(IOLoop(reactor: try Reactor(doorbell: doorbell)))
    let thread = try ReactorThread(name: "martlet-client") { [self] in
      guard var loop = handover.withLock({ $0.take() }) else { return }
      while true { run(&loop) }
    }
    thread.detach()
  }

  /// Gives a driver a turn soon; the first time makes it known. Any thread.
  func wake(_ driver: any IODriver) {
    woken.withLock { $0.append(driver) }
    doorbell.ringIfSleeping()
  }

  private func takeWoken() -> [any IODriver] {
    woken.withLock { list in
      let taken = list
      list = []
      return taken
    }
  }

  private func run(_ loop: inout IOLoop) {
    for driver in takeWoken() { loop.turn(driver) }
    // Armed before the last look at the list: what is added behind it rings the bell.
    doorbell.arm()
    let isIdle = woken.withLock { $0.isEmpty } && !loop.hasMore
    loop.wait(isIdle ? Self.sleepMillisecondsMax : 0)
    doorbell.disarm()
  }
}

/// The state of the thread's loop.
struct IOLoop: ~Copyable {
  private var reactor: Reactor
  private var wheel = TimerWheel(nowMilliseconds: IOThread.now)
  private var drivers: [(any IODriver)?] = []
  private var slots: [ObjectIdentifier: UInt32] = [:]
  private var free: [UInt32] = []
  private var again: [any IODriver] = []

  init(reactor: consuming Reactor) { self.reactor = reactor }

  var hasMore: Bool { !again.isEmpty }

  mutating func turn(_ driver: any IODriver, readiness: (generation: UInt32, Readiness)? = nil) {
    let id = ObjectIdentifier(driver)
    let slot: UInt32
    if let known = slots[id] {
      slot = known
    } else if let reused = free.popLast() {
      slot = reused
    } else {
      slot = UInt32(drivers.count)
      drivers.append(nil)
    }
    let now = IOThread.now
    let result = driver.turn(reactor, slot: slot, readiness: readiness, now: now)
    if result.isDone {
      slots[id] = nil
      drivers[Int(slot)] = nil
      free.append(slot)
      wheel.cancel(slot)
      return
    }
    slots[id] = slot
    drivers[Int(slot)] = driver
    if let deadline = result.deadline { wheel.schedule(slot, at: max(deadline, now)) } else { wheel.cancel(slot) }
    if result.again { again.append(driver) }
  }

  /// Sleeps until something happens, at most so long, and gives their turns to those whom it concerns.
  mutating func wait(_ longest: UInt64) {
    let timeout = wheel.delay(from: IOThread.now, atMost: longest)
    let count = reactor.wait(timeoutMilliseconds: Int(clamping: timeout))
    for index in 0..<count {
      guard let (token, readiness) = reactor.event(index), Int(token.index) < drivers.count,
        let driver = drivers[Int(token.index)]
      else { continue }
      turn(driver, readiness: (token.generation, readiness))
    }
    wheel.advance(to: IOThread.now)
    while let slot = wheel.popExpired() {
      if let driver = drivers[Int(slot)] { turn(driver) }
    }
    let more = again
    again = []
    for driver in more where slots[ObjectIdentifier(driver)] != nil { turn(driver) }
  }
}
