import ca.uhn.fhir.context.BaseRuntimeChildDefinition;
import ca.uhn.fhir.context.BaseRuntimeElementCompositeDefinition;
import ca.uhn.fhir.context.BaseRuntimeElementDefinition;
import ca.uhn.fhir.context.FhirContext;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Writes which elements HAPI knows in FHIR R4, for the gateway's structural check: run by the build, so that the gateway
 * has HAPI's definitions and none of its model classes.
 *
 * <p>Of each resource, data type and backbone element: one line {@code # name}, then a line {@code element max type}
 * for each of its names in JSON. max is 1 or *; type is {@code string}, {@code code}, {@code number} or {@code boolean}
 * for what is a scalar in JSON, {@code Resource} where any resource stands, else the name of a definition. A resource's name is its
 * type; other names begin with a small letter or have a dot.
 */
final class WriteDefinitions {
    private static final Set<String> NUMBERS = Set.of("integer", "positiveInt", "unsignedInt", "decimal");
    private final Map<String, List<String>> written = new TreeMap<>();
    private final Deque<BaseRuntimeElementCompositeDefinition<?>> left = new ArrayDeque<>();

    public static void main(String[] args) throws IOException {
        FhirContext fhir = FhirContext.forR4();
        WriteDefinitions all = new WriteDefinitions();
        for (String type : new TreeSet<>(fhir.getResourceTypes())) {
            all.left.add(fhir.getResourceDefinition(type));
        }
        while (!all.left.isEmpty()) {
            all.write(all.left.remove());
        }
        StringBuilder text = new StringBuilder();
        all.written.forEach((name, elements) -> {
            text.append("# ").append(name).append('\n');
            elements.forEach(element -> text.append(element).append('\n'));
        });
        Path file = Path.of(args[0]);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private void write(BaseRuntimeElementCompositeDefinition<?> definition) {
        String name = name(definition);
        if (written.containsKey(name)) {
            return;
        }
        List<String> elements = new ArrayList<>();
        written.put(name, elements);
        for (BaseRuntimeChildDefinition child : definition.getChildrenAndExtension()) {
            for (String element : new TreeSet<>(child.getValidChildNames())) {
                BaseRuntimeElementDefinition<?> type = child.getChildByName(element);
                if (element.equals("modifierExtension") || !isAlias(child, element, type)) {
                    elements.add(element + (child.getMax() == 1 ? " 1 " : " * ")
                            + (type == null ? "Extension" : type(type)));
                }
            }
        }
    }

    /** HAPI takes {@code subjectResource} for {@code subject}; FHIR does not. */
    private static boolean isAlias(BaseRuntimeChildDefinition child, String element,
            BaseRuntimeElementDefinition<?> type) {
        return element.endsWith("Resource") && !element.equals(child.getElementName())
                && type.getName().equals("Reference");
    }

    private String type(BaseRuntimeElementDefinition<?> type) {
        if (type instanceof BaseRuntimeElementCompositeDefinition<?> composite) {
            left.add(composite);
            return name(composite);
        }
        return switch (type.getChildType()) {
            case CONTAINED_RESOURCES, CONTAINED_RESOURCE_LIST, RESOURCE -> "Resource";
            default -> NUMBERS.contains(type.getName()) ? "number"
                    : type.getName().equals("boolean") || type.getName().equals("code") ? type.getName() : "string";
        };
    }

    private static String name(BaseRuntimeElementDefinition<?> definition) {
        Class<?> type = definition.getImplementingClass();
        return type.isMemberClass() ? type.getEnclosingClass().getSimpleName() + "." + type.getSimpleName()
                : definition.getName();
    }
}
