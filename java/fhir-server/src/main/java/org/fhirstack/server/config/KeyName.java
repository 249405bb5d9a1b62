package org.fhirstack.server.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Spring Boot's relaxed names: {@code allow_Credentials}, {@code allow-credentials} and {@code allowCredentials} are one. */
final class KeyName {
    /** What follows goes to Hibernate letter by letter. */
    private static final Pattern VERBATIM =
            Pattern.compile("(spring\\.jpa\\.properties\\.)(.+)", Pattern.CASE_INSENSITIVE);

    private static final Pattern INDEX = Pattern.compile("\\[[^\\]]*\\]");

    private KeyName() {}

    /** The form two spellings of one key share: lower case, no dashes, no underscores, no indexes. */
    static String uniform(String key) {
        Matcher verbatim = VERBATIM.matcher(key);
        if (verbatim.matches()) {
            return relaxed(verbatim.group(1)) + verbatim.group(2);
        }
        return relaxed(key);
    }

    private static String relaxed(String key) {
        return withoutIndexes(key).replace("-", "").replace("_", "").toLowerCase(Locale.ROOT);
    }

    static String withoutIndexes(String key) {
        return INDEX.matcher(key).replaceAll("");
    }

    /** An environment variable as a uniform key without dots: it cannot be told which underscore stands for a dot. */
    static String uniformVariable(String variable) {
        return variable.replaceAll("_\\d+(?=_|$)", "").replace("_", "").toLowerCase(Locale.ROOT);
    }

    /** {@code maxPageSize} as {@code max_page_size}, the starter's spelling. */
    static String snake(String camel) {
        return camel.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    /** {@code maximumPoolSize} as {@code maximum-pool-size}, Spring Boot's spelling. */
    static String dashed(String camel) {
        return camel.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
    }

    /** The key and all above it, longest first. */
    static List<String> withParents(String key) {
        List<String> all = new ArrayList<>();
        for (String k = key; ; k = k.substring(0, k.lastIndexOf('.'))) {
            all.add(k);
            if (k.lastIndexOf('.') < 0) {
                return all;
            }
        }
    }
}
