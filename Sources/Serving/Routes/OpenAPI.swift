import Datasets
import Foundation
import Inference

/// The description of a service for clients (OpenAPI 3.1).
struct OpenAPI {
  private typealias Fields = [String: Any]

  /// The description as JSON.
  let bytes: [UInt8]

  init(_ service: Service) {
    let text: Fields = ["type": "string"], whole: Fields = ["type": "integer"]
    let number: Fields = ["type": "number"], base64 = ["type": "string", "format": "byte"]
    func list(_ items: Fields) -> Fields { ["type": "array", "items": items] }
    func object(_ fields: [String: Fields], optional: Set<String> = []) -> Fields {
      [
        "type": "object", "properties": fields,
        "required": fields.keys.filter { !optional.contains($0) }.sorted(),
      ]
    }
    let color: Fields = ["type": "string", "pattern": "^#[0-9a-f]{6}$"]
    let classes = service.networks.map { $0.session.labelMap.classes.map(\.name) }
    let extras = PredictionRoute.extras.joined(separator: "|")
    let names: [String: Fields] = [
      "model": Self.parameter(
        "Which network answers; the first if none is named.",
        ["type": "string", "enum": service.networks.map(\.name)]),
      "opacity": Self.parameter(
        "How much the overlay's colours cover.",
        ["type": "number", "minimum": 0, "maximum": 1, "default": 0.5]),
      "include": Self.parameter(
        """
        What JSON has, too, with commas: labels, the classes of all pixels as a grey PNG; confidence, the \
        mean probability of each class's pixels; probabilities, in 255ths; image, as the network saw it.
        """,
        [
          "type": "string",
          "pattern": "^(\(extras))(,(\(extras)))*$",
        ]),
      "step": Self.parameter(
        "Probabilities are told of one pixel of each square of so many.",
        ["type": "integer", "minimum": 1, "maximum": 64, "default": 1]),
      "x": Self.parameter("The pixel's column.", ["type": "integer", "minimum": 0]),
      "y": Self.parameter("The pixel's row.", ["type": "integer", "minimum": 0]),
      "class": Self.parameter(
        "A class by its name or number.",
        [
          "anyOf": [
            ["type": "string", "enum": Array(Set(classes.flatMap(\.self))).sorted()] as Fields,
            ["type": "integer", "minimum": 0, "maximum": (classes.map(\.count).max() ?? 1) - 1],
          ]
        ]),
      "layer": Self.parameter(
        "'features', or the beginning of a layer's name in the state dictionary.",
        ["type": "string", "default": "features"]),
    ]
    func operation(
      _ id: String, _ summary: String, _ forms: [AnswerForm], _ known: [String],
      required: Set<String> = [], json: Fields
    ) -> Fields {
      let all = known.map { name -> (String, Fields) in
        guard name == "format" else { return (name, names[name] ?? [:]) }
        return (
          name,
          Self.parameter(
            "The form of the answer; without it the header Accept decides.",
            ["type": "string", "enum": forms.map(\.name)])
        )
      }
      var fields: [String: Fields] = [:]
      for (name, value) in all {
        var schema = value["schema"] as? Fields ?? [:]
        schema["description"] = value["description"]
        fields[name] = schema
      }
      fields[Upload.field] = Self.binary
      var bodies: Fields = [:]
      for type in [
        "image/jpeg", "image/png", "image/tiff", "image/webp", "application/octet-stream",
        NumPyArray.type,
      ] {
        bodies[type] = ["schema": Self.binary]
      }
      bodies["multipart/form-data"] = [
        "schema": [
          "type": "object", "properties": fields, "required": [Upload.field],
          "additionalProperties": false,
        ] as Fields
      ]
      var contents: Fields = [:]
      for form in forms {
        contents[form.type] = [
          "schema": form.name == "json"
            ? json : form.name == "polygons" ? ["type": "object"] : Self.binary
        ]
      }
      return [
        "post": [
          "operationId": id, "summary": summary,
          "parameters": all.map { name, value in
            var value = value
            value["name"] = name
            value["in"] = "query"
            value["required"] = required.contains(name)
            return value
          },
          "requestBody": ["required": true, "content": bodies] as Fields,
          "responses": Self.responses(
            contents, [400, 401, 403, 404, 406, 408, 413, 415, 422, 503]),
        ] as Fields
      ]
    }
    func get(_ id: String, _ summary: String, _ type: String, _ schema: Fields, _ statuses: [Int])
      -> Fields
    {
      [
        "get": [
          "operationId": id, "summary": summary,
          "responses": Self.responses([type: ["schema": schema]], statuses),
        ] as Fields
      ]
    }
    let part = object(["x": whole, "y": whole, "width": whole, "height": whole])
    let levels = object(["width": whole, "height": whole, "data": base64])
    let star = object(
      [
        "rates": list(whole), "stride": whole, "length": whole, "pitch": list(number),
        "points": list(list(whole)),
      ],
      optional: ["length"])
    var document: Fields = [
      "openapi": "3.1.0",
      "info": [
        "title": "Atrous", "version": "1",
        "description": "Semantic segmentation: predictions, and what they rest on.",
      ],
      "paths": [
        "/v1/predict": operation(
          "predict", "Segment an image.", PredictionRoute.forms, PredictionRoute.parameters,
          json: object(
            [
              "model": text, "width": whole, "height": whole,
              "classes": list(
                object(
                  [
                    "index": whole, "name": text, "color": color, "pixels": whole, "share": number,
                    "confidence": number,
                  ], optional: ["confidence"])), "labels": base64, "image": base64,
              "probabilities": object(
                ["step": whole, "width": whole, "height": whole, "data": base64]),
            ], optional: ["labels", "probabilities", "image"])),
        "/v1/explain": operation(
          "explain", "The effective receptive field of a pixel.", ExplanationRoute.forms,
          ExplanationRoute.parameters, required: ["x", "y"],
          json: object(
            [
              "model": text, "x": whole, "y": whole, "width": whole, "height": whole,
              "class": text, "reading": text, "halfWithin": whole, "ninetyWithin": whole,
              "extentWidth": whole, "extentHeight": whole, "part": part,
              "seen": object(["width": whole, "height": whole]), "star": star,
              "field": levels,
            ], optional: ["class", "star"])),
        "/v1/similarity": operation(
          "similarity", "Where features resemble those of a pixel or a class.",
          SimilarityRoute.forms, SimilarityRoute.parameters,
          json: object(
            [
              "model": text, "layer": text, "reference": text, "width": whole, "height": whole,
              "mapWidth": whole, "mapHeight": whole, "channels": whole, "cosines": list(whole),
              "inside": number, "outside": number,
            ], optional: ["inside", "outside"])),
        "/v1/models": get(
          "models", "The networks and their classes.", "application/json",
          object([
            "models": list(
              object(
                [
                  "name": text, "default": ["type": "boolean"], "explains": list(text),
                  "bands": list(whole),
                  "classes": list(object(["index": whole, "name": text, "color": color])),
                ], optional: ["bands"]))
          ]), [400, 401]),
        "/healthz": get(
          "health", "Whether requests are taken.", "application/json", object(["status": text]),
          [400, 503]),
        "/metrics": get(
          "metrics", "Counts for Prometheus.", "text/plain", text, [400, 401]),
        "/openapi.json": get(
          "description", "This description.", "application/json", ["type": "object"], [400, 401]),
        "/": get("page", "The page.", "text/html", text, [400]),
      ] as Fields,
      "components": [
        "schemas": [
          "Problem": object(["title": text, "status": whole, "detail": text])
        ],
        "responses": [
          "Problem": [
            "description": "Why the request is refused (RFC 9457).",
            "content": [
              "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
            ],
          ] as Fields
        ],
      ] as Fields,
    ]
    if service.needsToken {
      var components = document["components"] as? Fields ?? [:]
      components["securitySchemes"] = ["token": ["type": "http", "scheme": "bearer"]]
      document["components"] = components
      document["security"] = [["token": [String]()]]
      var paths = document["paths"] as? [String: Fields] ?? [:]
      for route in Route.all where route.isOpen {
        guard var operation = paths[route.path]?["get"] as? Fields else { continue }
        operation["security"] = [Fields]()
        paths[route.path]?["get"] = operation
      }
      document["paths"] = paths
    }
    let options: JSONSerialization.WritingOptions = [
      .sortedKeys, .withoutEscapingSlashes, .prettyPrinted,
    ]
    let data = try? JSONSerialization.data(withJSONObject: document, options: options)
    bytes = data.map(Array.init) ?? []
  }

  private static var binary: Fields { ["type": "string", "format": "binary"] }

  private static func parameter(_ description: String, _ schema: Fields) -> Fields {
    ["description": description, "schema": schema]
  }

  private static func responses(_ contents: Fields, _ statuses: [Int]) -> Fields {
    let problem = ["$ref": "#/components/responses/Problem"]
    var all: Fields = ["200": ["description": "The answer.", "content": contents] as Fields]
    for status in statuses { all["\(status)"] = problem }
    all["default"] = problem
    return all
  }
}
