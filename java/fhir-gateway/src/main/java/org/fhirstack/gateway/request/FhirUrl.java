package org.fhirstack.gateway.request;

import java.util.Set;
import java.util.regex.Pattern;
import org.fhirstack.gateway.Refusal;

/**
 * A path below the FHIR base, taken apart. Only the plain spelling is accepted: no escapes, no path parameters, no
 * empty or dot segments, no other letter case. So {@link #path()} is the one spelling that the backend can get.
 */
public record FhirUrl(Kind kind, String type, String id, String version, String operation) {

    /** What a path addresses. */
    public enum Kind {
        BASE, METADATA, SMART, SYSTEM_SEARCH, SYSTEM_HISTORY, SYSTEM_OPERATION, TYPE, TYPE_SEARCH, TYPE_HISTORY,
        TYPE_OPERATION, INSTANCE, INSTANCE_HISTORY, VERSION, INSTANCE_OPERATION, COMPARTMENT,
        /** What the gateway answers itself, see {@link #CUSTOM_TYPES}. */
        CUSTOM, CUSTOM_SEARCH
    }

    public static final String PRACTITIONER_DETAIL = "PractitionerDetail";
    public static final String LOCATION_HIERARCHY = "LocationHierarchy";
    /** OpenSRP's endpoints: spelled like types, but no resources of the backend. */
    public static final Set<String> CUSTOM_TYPES = Set.of(PRACTITIONER_DETAIL, LOCATION_HIERARCHY);
    private static final Pattern ALLOWED = Pattern.compile("[A-Za-z0-9$_./-]*");
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9.-]{1,64}");
    private static final Pattern OPERATION = Pattern.compile("\\$[A-Za-z0-9-]{1,64}");

    /** Parses a relative path without its leading slash, such as {@code Patient/1}; empty is the base. */
    public static FhirUrl parse(String path) {
        if (!ALLOWED.matcher(path).matches()) {
            throw Refusal.malformed("The path has characters that no FHIR path needs.");
        }
        if (path.contains("//")) {
            throw Refusal.malformed("The path has two slashes in a row.");
        }
        if (path.isEmpty()) {
            return new FhirUrl(Kind.BASE, null, null, null, null);
        }
        if (path.equals(".well-known/smart-configuration")) {
            return new FhirUrl(Kind.SMART, null, null, null, null);
        }
        String[] s = path.split("/", -1);
        if (s.length > 5) {
            throw Refusal.malformed("The path is not a FHIR path.");
        }
        if (CUSTOM_TYPES.contains(s[0])) {
            return custom(s);
        }
        return s.length == 1 && !FhirTypes.known(s[0]) ? system(s[0]) : typed(s);
    }

    private static FhirUrl custom(String[] s) {
        if (s.length == 1) {
            return new FhirUrl(Kind.CUSTOM, s[0], null, null, null);
        }
        if (s.length == 2 && s[1].equals("_search")) {
            return new FhirUrl(Kind.CUSTOM_SEARCH, s[0], null, null, null);
        }
        throw Refusal.malformed(s[0] + " can only be searched.");
    }

    /** True for OpenSRP's endpoints. */
    public boolean custom() {
        return kind == Kind.CUSTOM || kind == Kind.CUSTOM_SEARCH;
    }

    /** True where parameters may come as a form. */
    public boolean search() {
        return kind == Kind.TYPE_SEARCH || kind == Kind.CUSTOM_SEARCH;
    }

    private static FhirUrl system(String word) {
        return switch (word) {
            case "metadata" -> new FhirUrl(Kind.METADATA, null, null, null, null);
            case "_search" -> new FhirUrl(Kind.SYSTEM_SEARCH, null, null, null, null);
            case "_history" -> new FhirUrl(Kind.SYSTEM_HISTORY, null, null, null, null);
            default -> {
                if (OPERATION.matcher(word).matches()) {
                    yield new FhirUrl(Kind.SYSTEM_OPERATION, null, null, null, word);
                }
                throw Refusal.malformed("The path does not start with a resource type of FHIR R4.");
            }
        };
    }

    private static FhirUrl typed(String[] s) {
        String type = s[0];
        if (!FhirTypes.known(type)) {
            throw Refusal.malformed("The path does not start with a resource type of FHIR R4.");
        }
        if (s.length == 1) {
            return new FhirUrl(Kind.TYPE, type, null, null, null);
        }
        if (s.length == 2 && s[1].equals("_search")) {
            return new FhirUrl(Kind.TYPE_SEARCH, type, null, null, null);
        }
        if (s.length == 2 && s[1].equals("_history")) {
            return new FhirUrl(Kind.TYPE_HISTORY, type, null, null, null);
        }
        if (s.length == 2 && OPERATION.matcher(s[1]).matches()) {
            return new FhirUrl(Kind.TYPE_OPERATION, type, null, null, s[1]);
        }
        String id = checkedId(s[1]);
        if (s.length == 2) {
            return new FhirUrl(Kind.INSTANCE, type, id, null, null);
        }
        if (s[2].equals("_history")) {
            return history(s, type, id);
        }
        if (s.length == 3 && OPERATION.matcher(s[2]).matches()) {
            return new FhirUrl(Kind.INSTANCE_OPERATION, type, id, null, s[2]);
        }
        if (s.length == 3 && FhirTypes.known(s[2])) {
            return new FhirUrl(Kind.COMPARTMENT, type, id, null, s[2]);
        }
        throw Refusal.malformed("The path is not a FHIR path.");
    }

    private static FhirUrl history(String[] s, String type, String id) {
        if (s.length == 3) {
            return new FhirUrl(Kind.INSTANCE_HISTORY, type, id, null, null);
        }
        String version = checkedId(s[3]);
        if (s.length == 4) {
            return new FhirUrl(Kind.VERSION, type, id, version, null);
        }
        if (OPERATION.matcher(s[4]).matches()) {
            return new FhirUrl(Kind.INSTANCE_OPERATION, type, id, version, s[4]);
        }
        throw Refusal.malformed("The path is not a FHIR path.");
    }

    public static boolean validId(String id) {
        return id != null && ID.matcher(id).matches() && !id.equals(".") && !id.equals("..");
    }

    private static String checkedId(String id) {
        if (!validId(id)) {
            throw Refusal.malformed("The path has an id that FHIR does not allow.");
        }
        return id;
    }

    /** The path again, without a leading slash. */
    public String path() {
        return switch (kind) {
            case BASE -> "";
            case METADATA -> "metadata";
            case SMART -> ".well-known/smart-configuration";
            case SYSTEM_SEARCH -> "_search";
            case SYSTEM_HISTORY -> "_history";
            case SYSTEM_OPERATION -> operation;
            case TYPE, CUSTOM -> type;
            case TYPE_SEARCH, CUSTOM_SEARCH -> type + "/_search";
            case TYPE_HISTORY -> type + "/_history";
            case TYPE_OPERATION -> type + "/" + operation;
            case INSTANCE -> type + "/" + id;
            case INSTANCE_HISTORY -> type + "/" + id + "/_history";
            case VERSION -> type + "/" + id + "/_history/" + version;
            case INSTANCE_OPERATION -> type + "/" + id + (version == null ? "" : "/_history/" + version)
                    + "/" + operation;
            case COMPARTMENT -> type + "/" + id + "/" + operation;
        };
    }
}
