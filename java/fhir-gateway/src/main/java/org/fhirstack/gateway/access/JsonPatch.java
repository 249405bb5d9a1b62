package org.fhirstack.gateway.access;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import org.fhirstack.gateway.Json;
import org.fhirstack.gateway.Refusal;

/** Applies a JSON Patch (RFC 6902) to a resource, so that what a patch makes of it can be judged like a body. */
final class JsonPatch {
    private static final int MOST_OPERATIONS = 10_000;
    /** Of all that one patch copies, as JSON: copies of copies grow without end. */
    private static final int LONGEST_COPIES = 4 << 20;

    private JsonNode document;
    private int copied;

    private JsonPatch(JsonNode document) {
        this.document = document;
    }

    /** What the operations make of a document, which stays as it is; 400 when one of them cannot be applied. */
    static JsonNode apply(JsonNode operations, JsonNode document) {
        if (operations.size() > MOST_OPERATIONS) {
            throw Refusal.malformed("the JSON Patch has more than " + MOST_OPERATIONS + " operations.");
        }
        JsonPatch patch = new JsonPatch(document.deepCopy());
        int index = 0;
        for (JsonNode operation : operations) {
            try {
                patch.apply(operation);
            } catch (Refusal refusal) {
                throw new Refusal(refusal.status(), refusal.reason(), "operation " + index + " of the JSON Patch ("
                        + operation.path("op").asText() + " " + operation.path("path").asText() + "): "
                        + refusal.getMessage());
            }
            index++;
        }
        return patch.document;
    }

    private void apply(JsonNode operation) {
        List<String> path = steps(operation.path("path"));
        switch (operation.path("op").asText()) {
            case "add" -> add(path, value(operation));
            case "remove" -> remove(path);
            case "replace" -> {
                get(path);
                if (get(path.subList(0, path.size() - 1)) instanceof ArrayNode) {
                    remove(path);
                }
                add(path, value(operation));
            }
            case "move" -> {
                List<String> from = steps(operation.path("from"));
                if (path.size() > from.size() && path.subList(0, from.size()).equals(from)) {
                    throw Refusal.malformed("an element cannot be moved into itself.");
                }
                JsonNode moved = get(from);
                remove(from);
                add(path, moved);
            }
            case "copy" -> {
                JsonNode copy = get(steps(operation.path("from"))).deepCopy();
                copied += Json.write(copy).length;
                if (copied > LONGEST_COPIES) {
                    throw Refusal.malformed("the patch copies too much.");
                }
                add(path, copy);
            }
            default -> {
                if (!get(path).equals(value(operation))) {
                    throw Refusal.malformed("the test fails.");
                }
            }
        }
    }

    private static JsonNode value(JsonNode operation) {
        if (!operation.has("value")) {
            throw Refusal.malformed("it has no value.");
        }
        return operation.path("value").deepCopy();
    }

    private static List<String> steps(JsonNode pointer) {
        if (!pointer.isTextual() || !pointer.asText().startsWith("/")) {
            throw Refusal.malformed("a pointer must start with a slash and name an element.");
        }
        List<String> steps = new ArrayList<>();
        for (String step : pointer.asText().substring(1).split("/", -1)) {
            steps.add(step.replace("~1", "/").replace("~0", "~"));
        }
        return steps;
    }

    private JsonNode get(List<String> path) {
        JsonNode node = document;
        for (String step : path) {
            node = node instanceof ArrayNode list ? list.path(index(step, list.size() - 1)) : node.path(step);
            if (node.isMissingNode()) {
                throw Refusal.malformed("there is no such element.");
            }
        }
        return node;
    }

    private void add(List<String> path, JsonNode value) {
        String last = path.get(path.size() - 1);
        JsonNode parent = get(path.subList(0, path.size() - 1));
        if (parent instanceof ArrayNode list) {
            list.insert(last.equals("-") ? list.size() : index(last, list.size()), value);
        } else if (parent instanceof ObjectNode object) {
            object.set(last, value);
        } else {
            throw Refusal.malformed("nothing can be added to a value.");
        }
    }

    private void remove(List<String> path) {
        get(path);
        JsonNode parent = get(path.subList(0, path.size() - 1));
        String last = path.get(path.size() - 1);
        if (parent instanceof ArrayNode list) {
            list.remove(index(last, list.size() - 1));
        } else {
            ((ObjectNode) parent).remove(last);
        }
    }

    private static int index(String step, int most) {
        int index = step.matches("0|[1-9][0-9]{0,8}") ? Integer.parseInt(step) : -1;
        if (index < 0 || index > most) {
            throw Refusal.malformed("there is no place " + step + " in the list.");
        }
        return index;
    }
}
