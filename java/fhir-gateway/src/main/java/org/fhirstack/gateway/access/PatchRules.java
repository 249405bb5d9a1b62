package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.fhirstack.gateway.ElementPath;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;
import org.fhirstack.gateway.fhir.PatchStructure;

/**
 * A patch: a Binary that holds a JSON Patch, or, in a bundle, Parameters that hold a FHIRPath Patch. Android
 * users may not touch what decides whose resource it is.
 */
final class PatchRules {
    private static final Set<String> PROTECTED = Set.of("meta", "id", "resourceType", "implicitRules");
    /** See {@link SharedTypes}. */
    private static final Set<String> CONTENT_JUDGED = Set.of("Group", "List", "Location");
    private static final Pattern READABLE = Pattern.compile("/id|/resourceType|/meta/[A-Za-z]+(/[0-9]+(/[a-z]+)?)?");
    private static final Pattern SEARCH = Pattern.compile("(?s)[^\\s]*[A-Z][A-Za-z]+/*\\?.*=.*");
    private static final Pattern PLAIN_PATH = Pattern.compile("[A-Z][A-Za-z]+(\\.[A-Za-z][A-Za-z0-9]*(\\[[0-9]+])?)*");

    private PatchRules() {
    }

    /** Judges a patch and returns it written anew. */
    static JsonNode judge(JsonNode body, String type, Access access) {
        return switch (body.path("resourceType").asText("")) {
            case "Binary" -> jsonPatch(body, type, access);
            case "Parameters" -> fhirPatch(body, type, access);
            default -> throw Refusal.malformed("a PATCH entry needs a Binary with a JSON Patch, or Parameters.");
        };
    }

    private static JsonNode jsonPatch(JsonNode binary, String type, Access access) {
        if (!binary.path("contentType").asText("").equals(Outgoing.JSON_PATCH)) {
            throw new Refusal(415, "media-type", "a patch in a Binary must be " + Outgoing.JSON_PATCH + ".");
        }
        byte[] data;
        try {
            data = Base64.getDecoder().decode(binary.path("data").asText(""));
        } catch (IllegalArgumentException e) {
            throw Refusal.malformed("Binary.data is not base64.");
        }
        JsonNode given = Json.read(data);
        if (!given.isArray()) {
            throw Refusal.malformed("a JSON Patch is a list of operations.");
        }
        ArrayNode patch = Json.array();
        for (JsonNode operation : given) {
            // A copy only reads what is at from: phones write one for whatever text equals what is there, be it the id.
            boolean reads = operation.path("op").asText().equals("copy")
                    && READABLE.matcher(operation.path("from").asText("")).matches();
            for (String place : reads ? List.of("path") : List.of("path", "from")) {
                if (operation.path(place).isTextual()) {
                    pointer(operation.path(place).asText(), place.equals("path"), access);
                }
            }
            ObjectNode judged = PatchStructure.check(operation, type, ElementPath.of("patch").item(patch.size()));
            BodyRules.judgeReferences(judged, access);
            if (judged.path("path").asText().endsWith("/reference")) {
                BodyRules.judgeReferences(Json.object().set("reference", judged.path("value")), access);
            }
            patch.add(judged);
        }
        return binary(Json.write(patch));
    }

    /** A JSON Patch as an entry of a bundle holds it. */
    static ObjectNode binary(byte[] operations) {
        return Json.object().put("resourceType", "Binary").put("contentType", Outgoing.JSON_PATCH)
                .put("data", Base64.getEncoder().encodeToString(operations));
    }

    private static void pointer(String pointer, boolean changed, Access access) {
        if (!pointer.startsWith("/")) {
            throw Refusal.malformed("a JSON Patch path must start with a slash and name an element.");
        }
        String first = pointer.split("/", 3)[1].replace("~1", "/").replace("~0", "~");
        boolean tag = changed && (pointer + "/").startsWith("/meta/tag/");
        if (access.user.android() && !tag && (PROTECTED.contains(first) || first.isEmpty())) {
            throw Refusal.denied("patch", "a patch of an Android user may not touch /" + first + ".");
        }
    }

    /** The operations of a judged JSON Patch; null when the patch is another. */
    static JsonNode operations(JsonNode judged) {
        return judged.path("resourceType").asText().equals("Binary")
                ? Json.read(Base64.getDecoder().decode(judged.path("data").asText())) : null;
    }

    /** True when a judged patch may change tags. */
    static boolean touchesMeta(JsonNode judged) {
        JsonNode operations = operations(judged);
        return (operations == null ? judged : operations).toString().contains("meta");
    }

    private static JsonNode fhirPatch(JsonNode parameters, String type, Access access) {
        BodyRules.judgeReferences(parameters, access);
        judgeStrings(parameters, access);
        if (access.user.android() && CONTENT_JUDGED.contains(type)) {
            throw Refusal.denied("patch", "a " + type + " is judged by its content; an Android user patches it by a JSON"
                    + " Patch.");
        }
        for (JsonNode operation : parameters.path("parameter")) {
            if (!operation.path("name").asText("").equals("operation")) {
                throw Refusal.malformed("a FHIRPath Patch has only parameters called operation.");
            }
            if (access.user.android()) {
                fhirPath(operation.path("part"), type);
            }
        }
        return parameters;
    }

    /** In a patch the text of a reference may also come as a bare value, of any type that is a text. */
    private static void judgeStrings(JsonNode node, Access access) {
        for (JsonNode child : node) {
            if (child.isContainerNode()) {
                judgeStrings(child, access);
            }
        }
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            JsonNode value = member.getValue();
            if (member.getKey().startsWith("value") && value.isTextual() && SEARCH.matcher(value.asText()).matches()) {
                BodyRules.judgeReferences(Json.object().put("reference", value.asText()), access);
            }
        }
    }

    private static void fhirPath(JsonNode parts, String type) {
        for (JsonNode part : parts) {
            String name = part.path("name").asText("");
            String text = part.path("valueString").asText("");
            if (name.equals("name") && text.isEmpty()) {
                throw Refusal.malformed("a FHIRPath Patch names elements with valueString.");
            }
            if (name.equals("path")) {
                String[] s = text.split("\\.");
                if (!PLAIN_PATH.matcher(text).matches() || !s[0].equals(type)
                        || s.length > 1 && PROTECTED.contains(s[1].replaceFirst("\\[.*", ""))) {
                    throw Refusal.denied("patch", "a patch of an Android user needs plain paths that do not touch "
                            + "meta, id or resourceType.");
                }
            } else if (name.equals("name") && PROTECTED.contains(text)) {
                throw Refusal.denied("patch", "a patch of an Android user may not add " + text + ".");
            }
        }
    }
}
