import ca.uhn.fhir.context.BaseRuntimeChildDefinition;
import ca.uhn.fhir.context.BaseRuntimeElementCompositeDefinition;
import ca.uhn.fhir.context.BaseRuntimeElementDefinition;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.RuntimeSearchParam;
import ca.uhn.fhir.rest.api.RestSearchParameterTypeEnum;
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
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Writes which elements and search parameters HAPI knows in FHIR R4: run by the build, so that the gateway has HAPI's
 * definitions and none of its model classes.
 *
 * <p>Of each resource, data type and backbone element: one line {@code # name}, then a line {@code element max type}
 * for each of its names in JSON. max is 1 or *; type is {@code string}, {@code code}, {@code number} or {@code boolean}
 * for what is a scalar in JSON, {@code Resource} where any resource stands, else the name of a definition. A fourth word
 * names the choice that the element is one of: {@code value}. A resource's name is its type.
 *
 * <p>Of each resource's search parameters: a line {@code # type}, then a line {@code name element targets}. element is
 * that of the resource which the parameter reads, or - when it reads several or deeper ones; targets are the types that
 * a reference leads to, * for any and none for what is no reference.
 */
final class WriteDefinitions {
    private static final Pattern ELEMENT = Pattern.compile("(\\w+)\\.(\\w+)(?:\\.where\\(resolve\\(\\) is \\w+\\))?");
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
        Map<String, List<String>> parameters = new TreeMap<>();
        for (String type : new TreeSet<>(fhir.getResourceTypes())) {
            parameters.put(type, fhir.getResourceDefinition(type).getSearchParams().stream().map(p -> line(type, p))
                    .sorted().toList());
        }
        Path directory = Files.createDirectories(Path.of(args[0]));
        write(all.written, directory.resolve("fhir-r4-elements.txt"));
        write(parameters, directory.resolve("fhir-r4-search-parameters.txt"));
    }

    private static void write(Map<String, List<String>> sections, Path file) throws IOException {
        StringBuilder text = new StringBuilder();
        sections.forEach((name, lines) -> {
            text.append("# ").append(name).append('\n');
            lines.forEach(line -> text.append(line).append('\n'));
        });
        Files.writeString(file, text);
    }

    private static String line(String type, RuntimeSearchParam parameter) {
        List<String> paths = parameter.getPathsSplit().stream().filter(p -> p.contains(type + ".")).toList();
        Matcher m = ELEMENT.matcher(paths.size() == 1 ? paths.get(0).strip() : "");
        String element = m.matches() && m.group(1).equals(type) ? m.group(2) : "-";
        boolean reference = parameter.getParamType() == RestSearchParameterTypeEnum.REFERENCE;
        String targets = !reference ? "" : parameter.getTargets().isEmpty() ? " *"
                : " " + String.join(" ", new TreeSet<>(parameter.getTargets()));
        return parameter.getName() + " " + element + targets;
    }

    private void write(BaseRuntimeElementCompositeDefinition<?> definition) {
        String name = name(definition);
        if (written.containsKey(name)) {
            return;
        }
        List<String> elements = new ArrayList<>();
        written.put(name, elements);
        for (BaseRuntimeChildDefinition child : definition.getChildrenAndExtension()) {
            Set<String> names = new TreeSet<>(child.getValidChildNames());
            names.removeIf(element -> isAlias(child, element));
            for (String element : names) {
                BaseRuntimeElementDefinition<?> type = child.getChildByName(element);
                elements.add(element + (child.getMax() == 1 ? " 1 " : " * ")
                        + (type == null ? "Extension" : type(type))
                        + (names.size() > 1 ? " " + child.getElementName() : ""));
            }
        }
    }

    /** HAPI takes {@code subjectResource} for {@code subject}; FHIR does not. */
    private static boolean isAlias(BaseRuntimeChildDefinition child, String element) {
        return element.endsWith("Resource") && !element.equals(child.getElementName())
                && child.getChildByName(element).getName().equals("Reference");
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
