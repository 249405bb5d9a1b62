package org.fhirstack.server.database;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.UnaryOperator;
import org.hibernate.metamodel.MappingMetamodel;
import org.hibernate.metamodel.mapping.AttributeMapping;
import org.hibernate.metamodel.mapping.EmbeddableMappingType;
import org.hibernate.metamodel.mapping.EntityIdentifierMapping;
import org.hibernate.metamodel.mapping.ManagedMappingType;
import org.hibernate.metamodel.mapping.SelectableMapping;
import org.hibernate.persister.entity.EntityPersister;
import org.hibernate.type.SqlTypes;

/** What the columns of an entity hold, as the entity's own mapping says it: texts of so many characters, numbers of so many digits. */
final class ColumnLimits {

    /** A value that its column does not hold. */
    record Excess(String column, String problem) {}

    private record Limit(SelectableMapping column, UnaryOperator<Object> value) {}

    private final MappingMetamodel mappings;
    private final Map<Class<?>, List<Limit>> limits = new ConcurrentHashMap<>();

    ColumnLimits(MappingMetamodel mappings) {
        this.mappings = mappings;
    }

    /** The first value of an entity that the database would refuse. */
    Optional<Excess> excess(Object entity) {
        for (Limit limit : limits.computeIfAbsent(entity.getClass(), this::of)) {
            String problem = problem(limit.column(), limit.value().apply(entity));
            if (problem != null) {
                return Optional.of(new Excess(limit.column().getSelectionExpression(), problem));
            }
        }
        return Optional.empty();
    }

    private List<Limit> of(Class<?> entity) {
        List<Limit> found = new ArrayList<>();
        EntityPersister persister = mappings.findEntityDescriptor(entity);
        if (persister != null) {
            EntityIdentifierMapping id = persister.getIdentifierMapping();
            if (id.getPartMappingType() instanceof EmbeddableMappingType parts) {
                collect(parts, id::getIdentifier, found);
            }
            collect(persister, UnaryOperator.identity(), found);
        }
        return List.copyOf(found);
    }

    private static void collect(ManagedMappingType type, UnaryOperator<Object> owner, List<Limit> found) {
        type.forEachAttributeMapping((AttributeMapping attribute) -> {
            SelectableMapping column = attribute.asBasicValuedModelPart();
            if (column != null && limited(column)) {
                found.add(new Limit(column, entity -> {
                    Object container = owner.apply(entity);
                    return container == null ? null : attribute.getValue(container);
                }));
            }
        });
    }

    private static boolean limited(SelectableMapping column) {
        if (column.isFormula() || column.getColumnDefinition() != null) {
            return false;
        }
        return switch (column.getJdbcMapping().getJdbcType().getDdlTypeCode()) {
            case SqlTypes.VARCHAR -> column.getLength() != null;
            case SqlTypes.NUMERIC, SqlTypes.DECIMAL -> column.getPrecision() != null && column.getScale() != null;
            default -> false;
        };
    }

    private static String problem(SelectableMapping column, Object value) {
        if (value instanceof String text) {
            int characters = text.codePointCount(0, text.length());
            return characters <= column.getLength()
                    ? null
                    : "has " + characters + " characters; at most " + column.getLength() + " can be stored";
        }
        if (value instanceof BigDecimal number) {
            int digits = column.getPrecision() - column.getScale();
            // What is rounded up to one more digit is too large too.
            BigDecimal end = BigDecimal.ONE.scaleByPowerOfTen(digits)
                    .subtract(BigDecimal.valueOf(5, column.getScale() + 1));
            return number.abs().compareTo(end) < 0
                    ? null
                    : "is too large: at most " + digits + " digits before the point can be stored";
        }
        return null;
    }
}
