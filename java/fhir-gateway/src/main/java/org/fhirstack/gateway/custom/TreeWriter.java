package org.fhirstack.gateway.custom;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fhirstack.gateway.Refusal;

/** Writes one hierarchy as the resource LocationHierarchy that OpenSRP's clients read. */
final class TreeWriter {
    private static final int DEEPEST = 200;
    private final Forest forest;
    /** The locations that are asked for; others are left out, and what lies below them only through them. */
    private final Set<String> kept;
    private final Set<String> written = new HashSet<>();
    private final Map<String, List<Place>> relations = new LinkedHashMap<>();

    TreeWriter(Forest forest, Set<String> kept) {
        this.forest = forest;
        this.kept = kept;
    }

    void write(JsonGenerator out, Place root) throws IOException {
        out.writeStartObject();
        out.writeStringField("resourceType", "LocationHierarchy");
        out.writeStringField("id", "Location Resource : " + root.id());
        custom(out);
        out.writeObjectFieldStart("LocationHierarchyTree");
        out.writeObjectFieldStart("locationsHierarchy");
        out.writeObjectFieldStart("listOfNodes");
        out.writeStringField("treeNodeId", "Location/" + root.id());
        out.writeArrayFieldStart("treeNode");
        node(out, root, 0);
        out.writeEndArray();
        out.writeEndObject();
        relations(out);
        out.writeEndObject();
        out.writeEndObject();
        out.writeStringField("locationId", root.id());
        out.writeEndObject();
    }

    /** The profile by which OpenSRP marks resources of its own. */
    static void custom(JsonGenerator out) throws IOException {
        out.writeObjectFieldStart("meta");
        out.writeArrayFieldStart("profile");
        out.writeString("http://hl7.org/fhir/profiles/custom-resource");
        out.writeEndArray();
        out.writeEndObject();
    }

    private void node(JsonGenerator out, Place place, int depth) throws IOException {
        if (depth > DEEPEST) {
            throw new Refusal(413, "too-long", "The hierarchy is deeper than " + DEEPEST + " levels.");
        }
        written.add(place.id());
        out.writeStartObject();
        out.writeStringField("nodeId", "Location/" + place.id());
        if (!place.name().isEmpty()) {
            out.writeStringField("label", place.name());
        }
        out.writeFieldName("node");
        out.writeRawValue(place.text());
        if (place.parent() != null) {
            out.writeStringField("parent", "Location/" + place.parent());
        }
        List<Place> children = forest.children(place.id()).stream()
                .filter(c -> kept.contains(c.id()) && !written.contains(c.id())).toList();
        if (!children.isEmpty()) {
            relations.put(place.id(), children);
            out.writeArrayFieldStart("children");
            for (Place child : children) {
                out.writeStartObject();
                out.writeStringField("childId", "Location/" + child.id());
                out.writeFieldName("treeNode");
                node(out, child, depth + 1);
                out.writeEndObject();
            }
            out.writeEndArray();
        }
        out.writeEndObject();
    }

    private void relations(JsonGenerator out) throws IOException {
        if (relations.isEmpty()) {
            return;
        }
        out.writeArrayFieldStart("parentChildren");
        for (Map.Entry<String, List<Place>> relation : relations.entrySet()) {
            out.writeStartObject();
            out.writeStringField("identifier", "Location/" + relation.getKey());
            out.writeArrayFieldStart("childIdentifiers");
            for (Place child : relation.getValue()) {
                out.writeString("Location/" + child.id());
            }
            out.writeEndArray();
            out.writeEndObject();
        }
        out.writeEndArray();
    }
}
