package org.fhirstack.server.config;

import java.io.IOException;
import org.springframework.boot.origin.Origin;
import org.springframework.boot.origin.OriginLookup;
import org.springframework.boot.origin.OriginProvider;
import org.springframework.boot.origin.TextResourceOrigin;
import org.springframework.core.env.PropertySource;
import org.springframework.core.io.Resource;

/** Where a key was written. */
final class Places {

    private Places() {}

    /** {@code /etc/fhir/application.yaml:12}, or the name of the source. */
    static String of(PropertySource<?> source, String name) {
        return of(OriginLookup.getOrigin(source, name), source.getName());
    }

    /** {@code /etc/fhir/application.yaml:12}, or the name given. */
    static String of(Origin origin, String otherwise) {
        if (origin instanceof OriginProvider wrapped && wrapped.getOrigin() != origin) {
            return of(wrapped.getOrigin(), otherwise);
        }
        if (!(origin instanceof TextResourceOrigin text)) {
            return switch (otherwise) {
                case "commandLineArgs" -> "command line";
                case "spring.application.json" -> "SPRING_APPLICATION_JSON";
                default -> otherwise;
            };
        }
        String file = path(text.getResource());
        // lines are counted from 0
        return text.getLocation() == null ? file : file + ":" + (text.getLocation().getLine() + 1);
    }

    private static String path(Resource resource) {
        if (resource == null) {
            return "file";
        }
        try {
            return resource.getFile().getPath();
        } catch (IOException e) {
            return resource.getDescription();
        }
    }
}
