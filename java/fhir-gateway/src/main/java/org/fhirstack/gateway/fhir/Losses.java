package org.fhirstack.gateway.fhir;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.fhirstack.gateway.ElementPath;

/**
 * What FHIR allows and HAPI does not keep, told to who sent it: versions in references, but those of
 * {@code AuditEvent.entity.what}. A test compares it with what HAPI's parser writes.
 */
public final class Losses {
    private static final int MOST = 5;
    private static final Pattern KEPT = Pattern.compile("AuditEvent\\.entity\\[\\d+]\\.what");

    private Losses() {
    }

    /** The places in a resource, or in those of a bundle, whose content is not kept whole; the first few. */
    public static List<String> of(JsonNode resource) {
        List<String> lost = new ArrayList<>();
        ElementPath root = ElementPath.of(resource.path("resourceType").asText("resource"));
        find(resource, root, root, lost);
        return lost;
    }

    /** @param own the path within the resource itself, which a bundle may hold */
    private static void find(JsonNode node, ElementPath path, ElementPath own, List<String> lost) {
        if (lost.size() == MOST) {
            return;
        }
        int index = 0;
        for (JsonNode item : node.isArray() ? node : List.<JsonNode>of()) {
            find(item, path.item(index), own.item(index), lost);
            index++;
        }
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            String name = member.getKey();
            JsonNode value = member.getValue();
            ElementPath place = path.member(name);
            if (value.isContainerNode()) {
                find(value, place, name.equals("resource") && value.has("resourceType")
                        ? ElementPath.of(value.path("resourceType").asText()) : own.member(name), lost);
            } else if (name.equals("reference") && value.asText().contains("/_history/")
                    && !KEPT.matcher(own.toString()).matches()) {
                lost.add(place + " is kept without its version");
            }
        }
    }
}
