import Analysis
import Datasets
import Evaluation
import Foundation
import Imaging
import Inference
import NIOHTTP1
import Synchronization
import Testing
import Weights

@testable import Serving

/// The service with the packaged network that most tests ask.
private let shared = Result {
  let network = try ServedNetwork(PackagedNetwork.streets.file(), name: "streets")
  let service = Service([network])
  return (service: service, network: network, port: try service.listen(host: "127.0.0.1", port: 0))
}

private func picture(_ seed: Int = 0) throws -> Image {
  let (width, height) = (64, 48)
  return Image(
    width: width, height: height,
    pixels: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 * (7 + seed) / 5) })
}

/// A PNG that says it is of some size, and ends there.
private func header(width: UInt32, height: UInt32) -> [UInt8] {
  func big(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
  let chunk = Array("IHDR".utf8) + big(width) + big(height) + [8, 2, 0, 0, 0]
  var sum: UInt32 = 0xFFFF_FFFF
  for byte in chunk {
    sum ^= UInt32(byte)
    for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
  }
  return [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10] + big(13) + chunk + big(~sum)
}

/// A form with an image and other fields.
private func form(_ image: [UInt8], _ fields: [(String, String)]) -> [UInt8] {
  let parts = fields.map {
    "--cut\r\nContent-Disposition: form-data; name=\"\($0)\"\r\n\r\n\($1)\r\n"
  }
  return Array(parts.joined().utf8)
    + Array(
      [
        "--cut", "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"",
        "Content-Type: image/png", "", "",
      ].joined(separator: "\r\n").utf8) + image + Array("\r\n--cut--\r\n".utf8)
}

@Suite("The service")
struct ServiceTests {
  @Test("gives what the network finds in every form")
  func predictsInEveryForm() throws {
    let (_, network, port) = try shared.get()
    let image = try picture(), png = try image.png()
    let expected = try network.session.predict(image)
    let map = network.session.labelMap

    let labels = try ask(port, "POST", "/v1/predict", png, headers: ["Accept: image/png"])
    #expect(labels.status == 200 && labels.headers["content-type"] == "image/png")
    let found = try LabelImage(decoding: labels.body, named: "answer")
    #expect(found.values == expected.mask.classes.map(UInt16.init))

    let json = try ask(port, "POST", "/v1/predict?include=labels", png, type: "image/png")
    #expect(json.json["model"] as? String == "streets")
    #expect(json.json["width"] as? Int == 64 && json.json["height"] as? Int == 48)
    let classes = json.json["classes"] as? [[String: Any]] ?? []
    #expect(classes.map { $0["name"] as? String } == expected.shares.map(\.name))
    #expect(classes.reduce(0) { $0 + ($1["pixels"] as? Int ?? 0) } == 64 * 48)
    let inner = Data(base64Encoded: json.json["labels"] as? String ?? "") ?? Data()
    #expect(
      try LabelImage(decoding: Array(inner), named: "inner").values
        == expected.mask.classes.map(UInt16.init))

    let overlay = try ask(
      port, "POST", "/v1/predict", form(png, [("format", "overlay"), ("opacity", "0.25")]),
      type: "multipart/form-data; boundary=\"cut\"")
    #expect(
      try Image(decoding: overlay.body, named: "overlay")
        == image.overlaid(
          classes: expected.mask.classes, palette: map.palette, opacity: 0.25, clear: map.background
        ))

    let array = try ask(port, "POST", "/v1/predict?format=probabilities&step=5", png)
    #expect(array.headers["content-type"] == NumPyArray.type)
    let probabilities = try network.session.predict(image, wanted: .probabilities).probabilities
    let columns = (64 + 4) / 5, rows = (48 + 4) / 5
    #expect(array.body.count == 128 + 2 * 11 * columns * rows)
    let first = array.body[128..<130].withUnsafeBytes { $0.loadUnaligned(as: Float16.self) }
    #expect(first == Float16(probabilities?[2, 2][0] ?? -1))
    // Also of what is hardly possible: numbers of type float16 below 6.1e-5 have fewer digits.
    let fine = try ask(port, "POST", "/v1/predict?format=probabilities", png).body.dropFirst(128)
    let small = probabilities?.values.filter { $0 > 1e-6 && $0 < 6e-5 } ?? []
    let numbers = fine.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    #expect(!small.isEmpty && numbers == probabilities?.values.map(\.halfBits))
    #expect(numbers.count { (1..<0x400).contains($0) } >= small.count)
    let sure = try ask(port, "POST", "/v1/predict?include=confidence,probabilities&step=64", png)
    let levels = sure.json["probabilities"] as? [String: Any] ?? [:]
    let bytes = Data(base64Encoded: levels["data"] as? String ?? "") ?? Data()
    #expect(bytes.count == 11 && abs(bytes.reduce(0) { $0 + Int($1) } - 255) < 11)
    let entry = (sure.json["classes"] as? [[String: Any]])?.first ?? [:]
    #expect((0.09...1).contains(entry["confidence"] as? Double ?? 0))

    let polygons = try ask(port, "POST", "/v1/predict?format=polygons", png)
    #expect(polygons.headers["content-type"] == "application/geo+json")
    let features = polygons.json["features"] as? [[String: Any]] ?? []
    let areas = features.compactMap { ($0["properties"] as? [String: Any])?["area"] as? Int }
    #expect(areas.reduce(0, +) == 64 * 48)
  }

  @Test("explains a pixel by its field and by features")
  func explainsAPixel() throws {
    let (_, network, port) = try shared.get()
    let png = try picture().png()
    let field = try ask(port, "POST", "/v1/explain?x=20&y=30&class=Road", png)
    #expect(field.status == 200, "\(field.json)")
    let star = field.json["star"] as? [String: Any] ?? [:]
    let points = star["points"] as? [[Int]] ?? []
    #expect(points.contains([20, 30]))
    // The network sees photographs with a shorter side of 540, so that 16 pixels there are 1.42 here.
    let stride = star["stride"] as? Int ?? 0, rates = star["rates"] as? [Int] ?? []
    let pitch = star["pitch"] as? [Double] ?? []
    #expect(pitch == [Double(stride) * 64 / 720, Double(stride) * 48 / 540])
    let reach = Int((Double(rates.max() ?? 0) * (pitch.first ?? 0)).rounded())
    #expect(reach > 5 && points.contains([20 + reach, 30]))
    let seen = field.json["seen"] as? [String: Int]
    #expect(seen == ["width": 720, "height": 540])
    let levels = field.json["field"] as? [String: Any] ?? [:]
    let data = Data(base64Encoded: levels["data"] as? String ?? "") ?? Data()
    #expect(data.count == 64 * 48 && data.max() == 255)
    // The same by the network itself.
    let size = Size(width: 720, height: 540)
    let expected = try network.analyzing { trained in
      let cut = SeenCut(Size(width: 64, height: 48), trained.seen, to: size, around: (20, 30))
      let report = try FieldReport(
        trained.model,
        ImageSource(
          try trained.seen(picture()), named: "image", encoding: trained.encoding), size: size,
        target: .position(row: cut.target.y, column: cut.target.x),
        label: trained.classIndex("road"))
      return cut.mapped(report.values)
    }
    let array32 = try ask(port, "POST", "/v1/explain?x=20&y=30&class=road&format=field", png).body
    let values = array32.dropFirst(128).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    #expect(values == expected)
    #expect((field.json["class"] as? String)?.lowercased() == "road")

    let similar = try ask(port, "POST", "/v1/similarity?x=20&y=30", png)
    let width = similar.json["mapWidth"] as? Int ?? 0
    let height = similar.json["mapHeight"] as? Int ?? 0
    let cosines = similar.json["cosines"] as? [Int] ?? []
    #expect(cosines.count == width * height && width >= 720 / 16)
    #expect(cosines[30 * height / 48 * width + 20 * width / 64] == 1000)
    let array = try ask(
      port, "POST", "/v1/similarity?x=20&y=30", png, headers: ["Accept: application/x-npy"])
    #expect(array.body.starts(with: [0x93] + Array("NUMPY".utf8)))
    #expect(array.body.count == 128 + 4 * width * height)
  }

  @Test("refuses with the right status, and goes on")
  func refuses() throws {
    // One of its own, as others send at the same time.
    let service = Service([try shared.get().network])
    let port = try service.listen(host: "127.0.0.1", port: 0)
    let png = try picture().png()
    func status(_ reply: Reply?) -> Int { reply?.status ?? 0 }
    func expect(
      _ status: Int, _ method: String, _ target: String, _ body: [UInt8] = [], type: String? = nil,
      headers: [String] = [], at location: SourceLocation = #_sourceLocation
    ) throws {
      let reply = try ask(port, method, target, body, type: type, headers: headers)
      #expect(reply.status == status, "\(target): \(reply.json)", sourceLocation: location)
      #expect(
        reply.headers["content-type"] == "application/problem+json", sourceLocation: location)
      #expect(reply.json["status"] as? Int == status, sourceLocation: location)
      #expect((reply.json["detail"] as? String)?.isEmpty == false, sourceLocation: location)
    }
    try expect(404, "GET", "/v1/../etc/passwd")
    try expect(404, "GET", "/page.css/")
    try expect(404, "POST", "/v1/predict?model=other", png)
    try expect(405, "GET", "/v1/predict")
    try expect(405, "DELETE", "/v1/models")
    try expect(400, "GET", "/v1/models?a=1")
    try expect(400, "POST", "/v1/predict?formt=json", png)
    try expect(400, "POST", "/v1/predict?format=jpeg", png)
    try expect(400, "POST", "/v1/predict?opacity=2", png)
    try expect(400, "POST", "/v1/predict?model=%FF", png)
    try expect(400, "POST", "/v1/predict?model=streets&model=streets", png)
    try expect(406, "POST", "/v1/predict", png, headers: ["Accept: text/html"])
    try expect(415, "POST", "/v1/predict", png, type: "application/x-www-form-urlencoded")
    try expect(415, "POST", "/v1/predict", Array("no image".utf8), type: "image/png")
    try expect(400, "POST", "/v1/predict")
    try expect(400, "POST", "/v1/predict", png, type: "multipart/form-data")
    let cut = Array(form(png, []).dropLast(40))
    try expect(400, "POST", "/v1/predict", cut, type: "multipart/form-data; boundary=cut")
    try expect(422, "POST", "/v1/predict", Array(png.prefix(200)))
    try expect(413, "POST", "/v1/predict", header(width: 100_000, height: 100_000))
    try expect(422, "POST", "/v1/predict", header(width: 0, height: 10))
    // Few pixels, but many as the network sees them.
    try expect(413, "POST", "/v1/predict", header(width: 200_000, height: 2))
    try expect(422, "POST", "/v1/explain?x=64&y=0", png)
    try expect(400, "POST", "/v1/explain?x=-1&y=0", png)
    try expect(400, "POST", "/v1/explain", png)
    try expect(400, "POST", "/v1/explain?x=1&y=0&class=hat", png)
    try expect(400, "POST", "/v1/similarity?x=1&y=1&layer=nothing", png)
    try expect(400, "POST", "/v1/similarity?x=1&y=1&class=0", png)
    try expect(417, "POST", "/v1/predict", png, headers: ["Expect: a miracle"])
    try expect(403, "POST", "/v1/predict", png, headers: ["Sec-Fetch-Site: cross-site"])
    #expect(try ask(port, "GET", "/v1/predict").headers["allow"] == "POST")

    // What is no request, or has no end.
    func raw(_ text: String) throws -> Reply? {
      let wire = try Wire(port)
      wire.send(text)
      return wire.reply()
    }
    #expect(status(try raw("what\r\n\r\n")) == 400)
    #expect(status(try raw("GET /healthz HTTP/1.1\r\n\r\n")) == 400)
    #expect(status(try raw("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")) == 400)
    let long = String(repeating: "a", count: 20_000)
    #expect(status(try raw("GET /healthz HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n")) == 431)
    #expect(status(try raw("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n")) == 431)
    let start = "POST /v1/predict HTTP/1.1\r\nHost: a\r\n"
    #expect(status(try raw("\(start)Content-Length: 99999999999\r\n\r\n")) == 413)
    #expect(status(try raw("\(start)Content-Length: -1\r\n\r\n")) == 400)
    let both = "\(start)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    #expect(status(try raw(both)) == 400)
    let endless = try Wire(port)
    endless.send("\(start)Transfer-Encoding: chunked\r\n\r\n")
    let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 7, count: 65_536) + [13, 10]
    for _ in 0..<2000 { guard endless.send(chunk) else { break } }
    #expect(status(endless.reply()) == 413)
    #expect(endless.isClosed)

    #expect(try ask(port, "POST", "/v1/predict", png).status == 200)
    #expect(service.gauges.first { $0.name == "atrous_received_bytes" }?.value == 0)
    #expect(service.stop())
  }

  @Test("answers requests of one connection in their order")
  func answersInOrder() throws {
    let port = try shared.get().port
    let png = try picture().png()
    let wire = try Wire(port)
    wire.send(
      request("GET", "/healthz") + request("POST", "/v1/predict", png)
        + request("GET", "/nothing") + request("HEAD", "/healthz")
        + request("GET", "/v1/models", headers: ["Connection: close"]))
    #expect(wire.reply()?.json["status"] as? String == "ok")
    #expect(wire.reply()?.json["model"] as? String == "streets")
    #expect(wire.reply()?.status == 404)
    #expect(wire.reply(hasBody: false)?.headers["content-length"] == "15")
    #expect(wire.reply()?.headers["connection"] == "close")
    #expect(wire.isClosed)

    let patient = try Wire(port)
    patient.send(
      "POST /v1/predict HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: \(png.count)\r\n\r\n"
    )
    #expect(patient.reply()?.status == 100)
    patient.send(png)
    #expect(patient.reply()?.status == 200)
  }

  @Test("each of many gets its own answer or comes again; slow senders hold up nobody")
  func keepsToItsLimits() throws {
    let (_, network, _) = try shared.get()
    var limits = ServiceLimits()
    (limits.queue, limits.upload, limits.idle, limits.connections) = (2, 0.5, 0.5, 30)
    let service = Service([network], limits: limits)
    let port = try service.listen(host: "127.0.0.1", port: 0)
    let slow = try (0..<10).map { _ in try Wire(port) }
    for wire in slow {
      wire.send("POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
    }
    let silent = try Wire(port)
    silent.send("GET /hea")

    let images = try (0..<16).map(picture)
    let expected = try images.map { try network.session.predict($0).mask.classes.map(UInt16.init) }
    let bodies = try images.map { try $0.png() }
    let statuses = Mutex<[Int: Int]>([:])
    let wrong = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: bodies.count) { index in
      do {
        let reply = try ask(port, "POST", "/v1/predict?format=labels", bodies[index])
        statuses.withLock { $0[reply.status, default: 0] += 1 }
        let isRight =
          reply.status == 200
          ? try LabelImage(decoding: reply.body, named: "answer").values == expected[index]
          : reply.headers["retry-after"] != nil
        if !isRight { wrong.withLock { $0 += 1 } }
      } catch {
        wrong.withLock { $0 += 1 }
      }
    }
    #expect(wrong.withLock { $0 } == 0)
    #expect(statuses.withLock { Set($0.keys).subtracting([200, 503]).isEmpty && $0[200] ?? 0 > 0 })
    for wire in slow { #expect(wire.reply()?.status == 408) }
    #expect(silent.isClosed)

    // More connections than there may be.
    let many = try (0..<31).map { _ in try Wire(port) }
    many[30].send(request("GET", "/healthz"))
    #expect(many[30].reply()?.status == 503)
    #expect(service.stop())
  }

  @Test("answers what was accepted before it ends")
  func finishesWhatWasAccepted() throws {
    let network = try shared.get().network
    let service = Service([network])
    let port = try service.listen(host: "127.0.0.1", port: 0)
    let png = try picture().png()
    let idle = try Wire(port)
    let wires = try (0..<5).map { _ in try Wire(port) }
    for wire in wires { wire.send(request("POST", "/v1/predict", png)) }
    // One whose body is still on its way.
    let late = try Wire(port)
    let bytes = request("POST", "/v1/predict", png)
    late.send(Array(bytes.prefix(bytes.count - 10)))
    func received() -> Double? {
      service.gauges.first { $0.name == "atrous_received_bytes" }?.value
    }
    while received() == 0 { usleep(1000) }
    usleep(20_000)
    let isDone = Mutex<Bool?>(nil)
    let thread = Thread {
      let done = service.stop()
      isDone.withLock { $0 = done }
    }
    thread.start()
    while !service.isStopping { usleep(1000) }
    late.send(Array(bytes.suffix(10)))
    for wire in wires + [late] { #expect(wire.reply()?.status == 200) }
    #expect(idle.isClosed)
    while isDone.withLock({ $0 }) == nil { usleep(1000) }
    #expect(isDone.withLock { $0 } == true)
    #expect(throws: POSIXError.self) { try Wire(port) }
  }

  @Test("asks for the token")
  func asksForTheToken() throws {
    let network = try shared.get().network
    let service = Service([network], token: "0123456789abcdef")
    let port = try service.listen(host: "127.0.0.1", port: 0)
    let bearer = ["Authorization: Bearer 0123456789abcdef"]
    for target in ["/v1/models", "/metrics", "/openapi.json"] {
      #expect(try ask(port, "GET", target).status == 401)
      #expect(try ask(port, "GET", target, headers: bearer).status == 200)
    }
    let wrong = ["Authorization: Bearer 0123456789abcdeg"]
    let refused = try ask(port, "POST", "/v1/predict", [1], headers: wrong)
    #expect(refused.status == 401)
    #expect(refused.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
    for target in ["/", "/page.js", "/page.css", "/healthz"] {
      #expect(try ask(port, "GET", target).status == 200)
    }
    #expect(service.stop())
    let tried = [("abc", true), ("abd", false), ("ab", false), ("abcabc", false), ("", false)]
    for (given, isRight) in tried {
      #expect(Service.isEqual(Array(given.utf8), Array("abc".utf8)) == isRight)
    }
    #expect(!Service.isEqual([], []))
  }

  @Test("describes all routes; its page asks for nothing from elsewhere")
  func describesItself() throws {
    let port = try shared.get().port
    let page = try ask(port, "GET", "/")
    let policy = page.headers["content-security-policy"] ?? ""
    #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'"))
    #expect(page.headers["x-content-type-options"] == "nosniff")
    for file in PageFile.all {
      let text = String(decoding: file.content, as: UTF8.self)
        .replacing("http://www.w3.org/2000/svg", with: "")
      #expect(!text.contains("http://") && !text.contains("https://") && !text.contains("//cdn"))
      #expect(file.path != "/" || !text.contains("style="), "the policy forbids styles within")
    }
    #expect(try ask(port, "GET", "/examples/1.jpg").body.starts(with: [0xFF, 0xD8, 0xFF]))
    let description = try ask(port, "GET", "/openapi.json").json
    let paths = description["paths"] as? [String: [String: Any]] ?? [:]
    #expect(Set(paths.keys) == Set(Route.all.filter(\.isDescribed).map(\.path)))
    for route in Route.all where route.isDescribed {
      #expect(paths[route.path]?.keys.first == (route.takesImage ? "post" : "get"))
    }
    let metrics = String(decoding: try ask(port, "GET", "/metrics").body, as: UTF8.self)
    #expect(metrics.contains("atrous_requests_total{route=\"/\",status=\"200\"}"))
    let models = try ask(port, "GET", "/v1/models").json["models"] as? [[String: Any]] ?? []
    #expect(models.first?["name"] as? String == "streets")
    #expect((models.first?["classes"] as? [Any])?.count == 11)
  }
}

@Suite("Requests and tokens")
struct MessageTests {
  @Test(
    "the header Accept picks the form",
    arguments: [
      (nil, "json"), ("*/*", "json"), ("image/png", "labels"),
      ("image/*;q=0.5, */*;q=0.1", "labels"),
      ("application/geo+json", "polygons"), ("application/json;q=0.2, image/png;q=0.3", "labels"),
      ("image/png;q=0, */*", "json"), ("text/html, application/json;q=0.9", "json"),
    ])
  func picksTheForm(accept: String?, expected: String) throws {
    let headers = HTTPHeaders(accept.map { [("Accept", $0)] } ?? [])
    #expect(
      try AnswerForm.chosen(of: PredictionRoute.forms, Parameters(), headers).name == expected)
  }

  @Test("reads forms as browsers and curl write them, and refuses cut ones")
  func readsForms() throws {
    let lines = [
      "before", "--x", "Content-Disposition: form-data; name=a", "", "--y", "", "--x ",
      "content-disposition: form-data; name=\"b\\\"c\"; filename=\"d;e\"", "", "", "--x--",
      "behind",
    ]
    let body = Array(lines.joined(separator: "\r\n").utf8)
    let parts = try MultipartForm(body, type: "multipart/form-data; charset=utf-8; boundary=x")
      .parts
    #expect(parts.map(\.name) == ["a", "b\"c"] && parts.map(\.isFile) == [false, true])
    #expect(parts.map { String(decoding: $0.content, as: UTF8.self) } == ["--y\r\n", ""])
    // Cut anywhere, it is refused or has no more than it had.
    for count in 0..<body.count - 10 {
      let cut = Array(body.prefix(count))
      let some = try? MultipartForm(cut, type: "a/b; boundary=x")  // may fail: it should
      #expect((some?.parts.count ?? 0) <= 2)
    }
  }

  @Test("reads tokens from files and the environment")
  func readsTokens() throws {
    let folder = NSTemporaryDirectory() + "atrous-token-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Data("0123456789abcdef-_\n".utf8).write(to: URL(fileURLWithPath: folder))
    #expect(try ServiceToken.found(file: folder, environment: [:]) == "0123456789abcdef-_")
    #expect(try ServiceToken.found(file: nil, environment: [:]) == nil)
    #expect(throws: ServiceTokenError.self) {
      try ServiceToken.found(file: nil, environment: ["ATROUS_TOKEN": "short"])
    }
    #expect(throws: ServiceTokenError.self) {
      try ServiceToken.found(file: "\(folder).none", environment: [:])
    }
    #expect(ServiceToken.warning(host: "127.0.0.1", token: nil) == nil)
    #expect(ServiceToken.warning(host: "0.0.0.0", token: nil) != nil)
  }
}
