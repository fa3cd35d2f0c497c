import Datasets
import Imaging
import NIOHTTP1
import Synchronization

/// A file of the page, which is part of the program.
struct PageFile: Sendable {
  let path: String
  let type: String
  let content: [UInt8]

  static let all = [
    PageFile(path: "/", type: "text/html; charset=utf-8", content: PackageResources.index_html),
    PageFile(
      path: "/page.css", type: "text/css; charset=utf-8", content: PackageResources.page_css),
    PageFile(
      path: "/page.js", type: "text/javascript; charset=utf-8", content: PackageResources.page_js),
  ]

  /// What a browser may do with the page: nothing with anything from elsewhere.
  private static let policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:",
    "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
  ].joined(separator: "; ")

  var answer: Answer {
    var answer = Answer(content, type: type)
    answer.headers.add(name: "Content-Security-Policy", value: Self.policy)
    answer.headers.add(name: "Referrer-Policy", value: "no-referrer")
    answer.headers.add(name: "Cross-Origin-Opener-Policy", value: "same-origin")
    answer.headers.add(name: "Cross-Origin-Resource-Policy", value: "same-origin")
    answer.headers.add(
      name: "Permissions-Policy", value: "camera=(), geolocation=(), microphone=()")
    answer.headers.add(name: "Cache-Control", value: "no-cache")
    return answer
  }
}

/// A generated street that the page offers as an example, painted when it is first asked for.
final class ExampleScene: Sendable {
  let path: String
  private let index: Int
  private let picture = Mutex<[UInt8]?>(nil)

  static let all = (1...4).map { ExampleScene(path: "/examples/\($0).jpg", index: $0) }

  private init(path: String, index: Int) { (self.path, self.index) = (path, index) }

  /// The picture as JPEG.
  func answer() throws -> Answer {
    let bytes = try picture.withLock { picture in
      if let picture { return picture }
      let scene = try SceneRenderer(seed: 26, size: Size(width: 480, height: 360)).render(index)
      let bytes = try scene.image.jpeg(quality: 92)
      picture = bytes
      return bytes
    }
    var answer = Answer(bytes, type: "image/jpeg")
    answer.headers.add(name: "Cache-Control", value: "max-age=86400")
    return answer
  }
}
